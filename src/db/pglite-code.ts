import { readFile } from 'node:fs/promises';

// TypeScript knows it from the library of browsers alone.
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: { compile(bytes: Uint8Array): Promise<WebAssembly.Module> };
};

let code: Promise<WebAssembly.Module> | undefined;

/** The embedded database's code, compiled beside whatever else is done to start: the sooner this is called, the better. */
export function compiled(): Promise<WebAssembly.Module> {
  if (!code) {
    code = readFile(new URL('pglite.wasm', import.meta.resolve('@electric-sql/pglite'))).then(wasm.compile);
    code.catch(() => {}); // for whoever awaits it
  }
  return code;
}
