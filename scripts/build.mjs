// Bundles src/main.ts into dist/, split into chunks so that a process loads only what it uses: startup time is mostly
// imports.
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** @type {import('esbuild').BuildOptions} */
const bundle = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  logLevel: 'warning',
  // Loaded at run time, only when needed: these packages read files next to their own modules.
  external: ['@electric-sql/pglite', 'fs-native-extensions', 'pg', '@neondatabase/serverless', 'ws'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};
const { metafile } = await build({
  ...bundle,
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  metafile: true,
  splitting: true,
  define: { BUILT_AT: String(Date.now()) },
  sourcemap: 'linked',
});

/** Bundles and loads a module that only the build uses. */
async function load(source) {
  const outfile = resolve('dist', `.${basename(source, '.ts')}-${process.pid}.mjs`);
  await build({ ...bundle, entryPoints: [source], outfile });
  const loaded = await import(pathToFileURL(outfile).href);
  rmSync(outfile);
  return loaded;
}
const { ensureImage } = await load('scripts/image.ts');
const image = await ensureImage(resolve('dist'));
// All list results are precomputed, so that a process that only answers list requests need not load the code behind them.
const { catalogue } = await load('src/catalogue.ts');
writeFileSync('dist/catalogue.json', JSON.stringify(await catalogue()));
// Old chunks are removed last, so that a process can be started at any moment of the build.
const current = new Set([image, 'catalogue.json', ...Object.keys(metafile.outputs).map((file) => basename(file))]);
for (const file of readdirSync('dist')) if (!current.has(file)) rmSync(join('dist', file), { recursive: true });
chmodSync('dist/main.js', 0o755);
