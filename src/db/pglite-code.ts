import { readFileSync } from 'node:fs';

// TypeScript declares WebAssembly only in its DOM library.
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: { compile(bytes: Uint8Array): Promise<WebAssembly.Module> };
};

let code: Promise<WebAssembly.Module> | undefined;

/** Returns the embedded database's code. The first call compiles it on another thread: call this early. */
export function compiled(): Promise<WebAssembly.Module> {
  if (!code) {
    code = readAndCompile();
    code.catch(() => {}); // reported to whoever awaits it
  }
  return code;
}

/** Reads synchronously: an asynchronous read would wait, for each chunk, behind the modules that are loading. */
const readAndCompile = async () =>
  wasm.compile(readFileSync(new URL('pglite.wasm', import.meta.resolve('@electric-sql/pglite'))));
