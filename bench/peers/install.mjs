// Installs other task servers for comparison: exact versions, each in a directory of its own outside the repository, so
// that none can become a dependency. To install missing ones: node bench/peers/install.mjs
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import envPaths from 'env-paths';

export const versions = {
  '@modelcontextprotocol/server-memory': '2026.8.31',
  'task-master-ai': '0.43.1',
  'backlog.md': '1.52.0',
  'mcp-shrimp-task-manager': '1.0.21',
  '@kazuph/mcp-taskmanager': '1.1.1',
};
const cache = join(envPaths('taskloom-bench', { suffix: '' }).cache, 'peers');
const run = promisify(execFile);

/** Returns the directory of a peer, which is installed if missing; undefined if that fails. */
export async function install(name, log = () => {}) {
  const folder = join(cache, `${name.replace('/', '+')}@${versions[name]}`);
  if (existsSync(folder)) return folder;
  log(`installing ${name} ${versions[name]}`);
  const temporary = `${folder}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  try {
    writeFileSync(join(temporary, 'package.json'), '{ "private": true }');
    // No server needs its package’s install scripts.
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${versions[name]}`], {
      cwd: temporary,
      shell: process.platform === 'win32',
      timeout: 600_000,
    });
    renameSync(temporary, folder);
    return folder;
  } catch (error) {
    log(`${name} could not be installed: ${error.message.split('\n')[0]}`);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Returns the file that a command of a package runs. */
export function program(folder, name, command) {
  const home = join(folder, 'node_modules', name);
  const { bin } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  return join(home, bin[command]);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const name of Object.keys(versions)) console.log(name, (await install(name, console.log)) ?? 'not installed');
