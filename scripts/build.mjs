// Bundles src/main.ts into dist/, split so that a process loads only what it uses: start-up is mostly imports.
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const { metafile } = await build({
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  bundle: true,
  metafile: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  logLevel: 'warning',
  // Drivers are loaded one at a time, when needed, with the files that lie beside them.
  external: ['@electric-sql/pglite', 'fs-native-extensions', 'pg', '@neondatabase/serverless', 'ws'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
// Old chunks go last: dist/ can be run from at any moment of a build.
const made = new Set(Object.keys(metafile.outputs).map((file) => basename(file)));
for (const file of readdirSync('dist')) if (!made.has(file)) rmSync(join('dist', file), { recursive: true });
chmodSync('dist/main.js', 0o755);
