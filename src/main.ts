#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Config, readConfig, VARIABLES } from './config.js';
import { UsageError } from './errors.js';
import { Feed } from './feed.js';
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
      config: announced(() => readConfig(process.env, 'command')),
      migrations: () => readMigrations(migrationsFolder),
      clock,
      version,
      print: (text) => process.stdout.write(`${text}\n`),
      complain,
      untilStopped,
    });
  }
  const stopped = untilStopped();
  try {
    await stdio(announced(() => readConfig(process.env, 'stdio'))(), stopped);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(`taskloom: ${error.message}${error.where ? `: ${error.where}` : ''}`);
    return 2;
  }
}

/** Reads the configuration once, and says what a person should be told of it. */
function announced(read: () => Config): () => Config {
  let config: Config | undefined;
  return () => {
    if (!config) {
      config = read();
      for (const notice of config.notices) complain(`taskloom: ${notice}`);
    }
    return config;
  };
}

/** Serves one client on stdin and stdout. Opens the database when a tool first needs it. */
async function stdio(config: Config, stopped: Promise<void>): Promise<void> {
  const log = makeLog(config.logLevel);
  if (process.stdin.isTTY) greet(config);

  const { openOnce } = await import('./local.js');
  const local = openOnce(config, migrationsFolder);
  const feed = new Feed({ store: local.store, log });
  const server = serveStreams(
    () =>
      buildServer({ store: local.store, clock, log, version, historyDays: config.historyDays, feed }, local.principal),
    process.stdin,
    process.stdout,
    log,
  );
  await Promise.race([server, stopped]);
  await feed.close();
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
  // What was set for this run must be set for the client's too; an address with a password is for its owner to fill in.
  const given = Object.entries(process.env).filter(([name]) => name in VARIABLES && name.startsWith('TASKLOOM_'));
  const secret = ['TASKLOOM_DATABASE_URL', 'TASKLOOM_SECRET'];
  const env = Object.fromEntries(given.map(([name, value]) => [name, secret.includes(name) ? '(as set here)' : value]));
  const command = { command: process.execPath, args: [fileURLToPath(import.meta.url)] };
  const entry = given.length > 0 ? { ...command, env } : command;
  complain(`Taskloom ${version}: a task server for AI agents, waiting for an MCP client on stdin.
Tasks are kept in: ${place[target.kind]}

Add this to your client's configuration (Claude Desktop: Settings > Developer > Edit Config):

${JSON.stringify({ mcpServers: { taskloom: entry } }, null, 2)}

Ctrl-C stops it. More: the README, or taskloom --help.`);
}
