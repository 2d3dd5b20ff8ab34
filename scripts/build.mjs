// Bundles src/main.ts into dist/, split so that a process loads only what it uses: start-up is mostly imports.
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
  // Drivers are loaded one at a time, when needed, with the files that lie beside them.
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

/** Bundles and loads a module that is used here, and is no part of the program. */
async function load(source) {
  const outfile = resolve('node_modules', `.taskloom-${basename(source, '.ts')}.mjs`);
  await build({ ...bundle, entryPoints: [source], outfile });
  const loaded = await import(pathToFileURL(outfile).href);
  rmSync(outfile);
  return loaded;
}
const { ensureImage } = await load('scripts/image.ts');
const image = await ensureImage(resolve('dist'));
// What is listed is written down once, so that a process that only lists loads nothing of what it is made of.
const { catalogue } = await load('src/catalogue.ts');
writeFileSync('dist/catalogue.json', JSON.stringify(await catalogue()));
// Old chunks go last: at any moment of a build a process can be started.
const made = new Set([image, 'catalogue.json', ...Object.keys(metafile.outputs).map((file) => basename(file))]);
for (const file of readdirSync('dist')) if (!made.has(file)) rmSync(join('dist', file), { recursive: true });
chmodSync('dist/main.js', 0o755);
