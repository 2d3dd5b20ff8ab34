// Bundles src/main.ts into dist/, split so that a process loads only what it uses: start-up is mostly imports.
import { chmodSync, readdirSync, rmSync } from 'node:fs';
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
  sourcemap: 'linked',
});
// What makes the image is TypeScript too; it is no part of the program.
const maker = resolve('node_modules/.taskloom-image.mjs');
await build({ ...bundle, entryPoints: ['scripts/image.ts'], outfile: maker });
const { ensureImage } = await import(pathToFileURL(maker).href);
const image = await ensureImage(resolve('dist'));
rmSync(maker);
// Old chunks go last: dist/ can be run from at any moment of a build.
const made = new Set([image, ...Object.keys(metafile.outputs).map((file) => basename(file))]);
for (const file of readdirSync('dist')) if (!made.has(file)) rmSync(join('dist', file), { recursive: true });
chmodSync('dist/main.js', 0o755);
