// Bundles src/main.ts into dist/, split so that a process loads only what it uses: start-up is mostly imports.
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  bundle: true,
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
chmodSync('dist/main.js', 0o755);
