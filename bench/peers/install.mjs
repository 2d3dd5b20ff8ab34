// Other task servers, for comparison: exact versions, each in a folder of its own outside the repository, so that
// nothing of theirs can become a dependency. Run by itself it installs what is missing: node bench/peers/install.mjs
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

/** Where a peer is, installed if it was not; nothing where that cannot be done here. */
export async function install(name, log = () => {}) {
  const folder = join(cache, `${name.replace('/', '+')}@${versions[name]}`);
  if (existsSync(folder)) return folder;
  log(`installing ${name} ${versions[name]}`);
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  try {
    writeFileSync(join(making, 'package.json'), '{ "private": true }');
    // None of them needs its install scripts to run as a server.
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${versions[name]}`], {
      cwd: making,
      shell: process.platform === 'win32',
      timeout: 600_000,
    });
    renameSync(making, folder);
    return folder;
  } catch (error) {
    log(`${name} could not be installed: ${error.message.split('\n')[0]}`);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

/** The file that a package runs as a command. */
export function program(folder, name, command) {
  const home = join(folder, 'node_modules', name);
  const { bin } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  return join(home, bin[command]);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const name of Object.keys(versions)) console.log(name, (await install(name, console.log)) ?? 'left out');
