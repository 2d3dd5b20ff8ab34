import { readFileSync } from 'node:fs';

// TypeScript knows it from the library of browsers alone.
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: { compile(bytes: Uint8Array): Promise<WebAssembly.Module> };
};

let code: Promise<WebAssembly.Module> | undefined;

/** The embedded database's code, compiled beside whatever else is done to start: the sooner this is called, the better. */
export function compiled(): Promise<WebAssembly.Module> {
  if (!code) {
    code = readAndCompile();
    code.catch(() => {}); // for whoever awaits it
  }
  return code;
}

/** Reads it in one go: what is read in pieces waits, at each of them, for the next of all the modules that are loaded. */
const readAndCompile = async () =>
  wasm.compile(readFileSync(new URL('pglite.wasm', import.meta.resolve('@electric-sql/pglite'))));
