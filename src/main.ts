#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import module from 'node:module';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.js';
import { UsageError } from './errors.js';
import type { Catalogue } from './front.js';
import { OWNER_COMMAND, type Program, paths } from './program.js';

// Without this check, an older Node would list the tools but fail at the first call that needs data.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`taskloom: needs Node 20.19 or later, and this is ${process.version} (${process.execPath})\n`);
  process.exit(2);
}

// Since Node 22: caches compiled code across starts, for all modules imported from here on.
const { enableCompileCache } = module as { enableCompileCache?: (directory: string) => unknown };
if (isAbsolute(paths.cache)) enableCompileCache?.(join(paths.cache, 'compiled'));
const argv = process.argv.slice(2);
const [command] = argv;
if (command === OWNER_COMMAND) void import('./db/pglite-code.js').then(({ compiled }) => compiled()); // in parallel
const [{ readConfig, VARIABLES }, { makeLog }] = await Promise.all([import('./config.js'), import('./log.js')]);

// Only this file reads the arguments, the environment and the real clock.
const here = (path: string) => new URL(path, import.meta.url);
const read = (path: string): unknown => JSON.parse(readFileSync(here(path), 'utf8'));
const { version } = read('../package.json') as { version: string };
const complain = (text: string) => process.stderr.write(`${text}\n`);

/** Build time in milliseconds since 1970, set by the bundler. */
declare const BUILT_AT: number;

const program: Program = {
  build: { version, at: BUILT_AT },
  migrations: here('../migrations/'),
  clock: () => new Date(),
  start: [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)],
  environment: process.env,
  // In Electron, `execPath` is the desktop program, which would open its window.
  canSpawn: process.versions.electron === undefined,
  cwd: workingDirectory(),
  readInput: async () => (await import('node:stream/consumers')).text(process.stdin),
  print: (text) => process.stdout.write(`${text}\n`),
  complain,
  untilStopped: () =>
    new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    }),
};

/** Undefined if it was deleted. */
function workingDirectory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/** How long pending answers may take after a stop signal, in milliseconds. */
const STOP_TIMEOUT = 5_000;
/** How long pending output may then take to flush, in milliseconds. */
const EXIT_TIMEOUT = 1_000;

process.stderr.on('error', () => {}); // there is nowhere left to report to
process.exitCode = await main();

async function main(): Promise<number> {
  if (command !== undefined && command !== OWNER_COMMAND) {
    process.stdout.on('error', endCommand);
    return (await import('./cli/commands.js')).runCommand(argv, { ...program, config: configReader('command') });
  }
  const stopped = program.untilStopped();
  try {
    const config = configReader('stdio')();
    if (command === OWNER_COMMAND)
      await (await import('./owner/background.js')).runBackgroundOwner(program, config, stopped);
    else return await serveStdin(config, stopped);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.toLine());
    return 2;
  }
}

/** Ends a command whose output cannot be written: quietly if its reader has closed the pipe, as `head` does. */
function endCommand({ code }: NodeJS.ErrnoException): never {
  if (code === 'EPIPE') process.exit(0);
  complain(`taskloom: cannot write the output (${code}). Check whether the command took effect before you repeat it`);
  process.exit(2);
}

/** Returns a function that reads the configuration on its first call and prints its notices. */
function configReader(mode: 'stdio' | 'command'): () => Config {
  let config: Config | undefined;
  return () => {
    if (!config) {
      config = readConfig(process.env, mode);
      for (const notice of config.notices) complain(`taskloom: ${notice}`);
    }
    return config;
  };
}

/**
 * Serves one client on stdin and stdout: answers lists itself and relays requests that need data.
 *
 * @returns the exit code: 1 if a request is left unanswered, at the end of the input or after a message that is too
 *   large, so that nobody takes it for done
 */
async function serveStdin(config: Config, stopped: Promise<void>): Promise<number> {
  const log = makeLog(config.logLevel);
  if (process.stdin.isTTY) await greet(config);
  const [{ buildFront }, { linkTo }, { Relay }, { serveStreams }] = await Promise.all([
    import('./front.js'),
    import('./links.js'),
    import('./transports/relay.js'),
    import('./transports/stdio.js'),
  ]);
  const lists = read('./catalogue.json') as Catalogue;
  const route = linkTo(program, config, log);
  const conversation = serveStreams(
    // A remote server over HTTP has no notification stream for 2025 clients.
    ({ era }) => buildFront(version, lists, !(config.remote && era === 'legacy')),
    process.stdin,
    process.stdout,
    log,
    new Relay(route),
  );
  await Promise.race([conversation.ended, stopped]);
  const unanswered = await conversation.drain(STOP_TIMEOUT);
  const isCutShort = unanswered > 0 && process.stdin.readableEnded;
  if (isCutShort) log.error({ unanswered }, 'exits without answers to all requests');
  await route.close();
  process.stdin.destroy();
  setTimeout(() => process.exit(), EXIT_TIMEOUT).unref(); // a search for an owner may still be running
  return isCutShort || conversation.isBrokenOff() ? 1 : 0;
}

/** Prints help for a person who started it in a terminal: what it is, where the data is, how to configure a client. */
async function greet({ target, remote }: Config): Promise<void> {
  const { chooseDirectory } = await import('./db/lock.js');
  const place = {
    directory: 'path' in target ? chooseDirectory(target.path, target.fallback) : '',
    memory: 'memory only',
    postgres: 'PostgreSQL',
    neon: 'Neon',
  };
  // Variables set for this run must be set for the client's too. Secrets are not printed.
  const given = Object.entries(process.env).filter(([name]) => name in VARIABLES && name.startsWith('TASKLOOM_'));
  const secrets = ['TASKLOOM_DATABASE_URL', 'TASKLOOM_SECRET', 'TASKLOOM_TOKEN'];
  const env = Object.fromEntries(
    given.map(([name, value]) => [name, secrets.includes(name) ? '(as set here)' : value]),
  );
  const command = { command: process.execPath, args: [fileURLToPath(import.meta.url)] };
  const entry = given.length > 0 ? { ...command, env } : command;
  complain(`Taskloom ${version}: a task server for AI agents, waiting for an MCP client on stdin.
Tasks are kept in: ${remote ? remote.url.origin : place[target.kind]}

Add this to your client's configuration (Claude Desktop: Settings > Developer > Edit Config):

${JSON.stringify({ mcpServers: { taskloom: entry } }, null, 2)}

Ctrl-C stops it. More: the README, or taskloom --help.`);
}
