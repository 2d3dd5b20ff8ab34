import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/main.js');

const changedIn = (folder: string) =>
  Math.max(
    ...readdirSync(join(ROOT, folder), { recursive: true }).map(
      (file) => statSync(join(ROOT, folder, String(file))).mtimeMs,
    ),
  );

/**
 * Builds dist/ if it is missing or older than its sources, so that tests never run an outdated build. Called before any
 * worker starts, since concurrent builds would conflict.
 */
export function ensureBuilt(): void {
  if (existsSync(MAIN) && statSync(MAIN).mtimeMs > Math.max(...['src', 'migrations', 'scripts'].map(changedIn))) return;
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT, stdio: 'inherit' });
}
