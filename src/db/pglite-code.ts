import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

// TypeScript declares WebAssembly only in its DOM library.
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: { compile(bytes: Uint8Array): Promise<WebAssembly.Module> };
};

/**
 * How much of a function is executed before V8 optimizes it, in bytes of code. With V8's default (2 to 13 million) a
 * process spends a third of its start on optimizing functions of which it then needs few.
 */
const TIERING_BUDGET = 100_000_000;

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
async function readAndCompile() {
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`); // read when code is compiled
  return wasm.compile(readFileSync(new URL('pglite.wasm', import.meta.resolve('@electric-sql/pglite'))));
}
