#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Config, readConfig } from './config.js';
import { UsageError } from './errors.js';
import { makeLog } from './log.js';
import { buildServer } from './server.js';
import { serveStreams } from './transports/stdio.js';

// The only reader of the arguments, the environment and the real clock.
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const migrationsFolder = new URL('../migrations/', import.meta.url);
const clock = () => new Date();
const complain = (text: string) => process.stderr.write(`${text}\n`);

const untilStopped = () =>
  new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });

process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  if (argv.length > 0) {
    const [{ runCommand }, { readMigrations }] = await Promise.all([
      import('./cli/commands.js'),
      import('./db/migrate.js'),
    ]);
    return runCommand(argv, {
      config: () => readConfig(process.env, 'command'),
      migrations: () => readMigrations(migrationsFolder),
      clock,
      version,
      print: (text) => process.stdout.write(`${text}\n`),
      complain,
      untilStopped,
    });
  }
  try {
    await stdio(readConfig(process.env, 'stdio'));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(`taskloom: ${error.message}${error.where ? `: ${error.where}` : ''}`);
    return 2;
  }
}

/** Serves one client on stdin and stdout. Opens the database when a tool first needs it. */
async function stdio(config: Config): Promise<void> {
  const stopped = untilStopped();
  const log = makeLog(config.logLevel);
  for (const notice of config.notices) complain(`taskloom: ${notice}`);
  if (process.stdin.isTTY) greet(config);

  const { openOnce } = await import('./local.js');
  const local = openOnce(config, migrationsFolder);
  const server = serveStreams(
    () => buildServer({ store: local.store, clock, log, version }, local.principal),
    process.stdin,
    process.stdout,
    log,
  );
  await Promise.race([server, stopped]);
  await local.close();
  process.stdin.destroy();
}

/** For the person who started it by hand: what it is, where the data is, and what to paste where. */
function greet({ target }: Config): void {
  const place = {
    directory: 'path' in target ? target.path : '',
    memory: 'memory only',
    postgres: 'PostgreSQL',
    neon: 'Neon',
  };
  const entry = { command: process.execPath, args: [fileURLToPath(import.meta.url)] };
  complain(`Taskloom ${version}: a task server for AI agents, waiting for an MCP client on stdin.
Tasks are kept in: ${place[target.kind]}

Add this to your client's configuration (Claude Desktop: Settings > Developer > Edit Config):

${JSON.stringify({ mcpServers: { taskloom: entry } }, null, 2)}

Ctrl-C stops it. More: the README, or taskloom --help.`);
}
