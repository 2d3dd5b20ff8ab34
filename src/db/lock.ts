import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { UsageError } from '../errors.js';

/** The embedded database's files are of one PostgreSQL major version. */
const DATA = 'pg18';

/** Another process has the directory open. */
export class DirectoryInUse extends UsageError {
  constructor(
    readonly pid: number | undefined,
    readonly since: string | undefined,
  ) {
    super(
      `the tasks are in use by another Taskloom process${pid ? ` (pid ${pid}${since ? `, since ${since}` : ''})` : ''}`,
    );
  }
}

interface Hold {
  /** Where the database's own files go. */
  data: string;
  release(): Promise<void>;
}

/**
 * Takes a data directory for this process alone, creating it, private, if need be. The operating system
 * keeps the lock, so that a dead process cannot hold it and nobody can take it from a live one.
 *
 * @throws DirectoryInUse naming the process that holds it; UsageError where the directory cannot be used
 */
export async function holdDirectory(path: string, fallback?: string): Promise<Hold> {
  const file = join(path, 'taskloom.lock');
  const data = join(path, DATA);
  let fd: number;
  try {
    // The database's files are readable by all: their directory is what keeps them private. The one above it
    // may be somebody's own, with other things in it, and keeps the mode it has.
    mkdirSync(path, { recursive: true, mode: 0o700 });
    mkdirSync(data, { recursive: true });
    chmodSync(data, 0o700);
    fd = openSync(file, 'a+', 0o600);
  } catch (error) {
    if (fallback) return holdDirectory(fallback);
    throw new UsageError(`cannot write to the data directory (${(error as NodeJS.ErrnoException).code})`, path);
  }
  const unlock = await lock(fd, path);
  if (!unlock) {
    closeSync(fd);
    const [pid, since] = readFileSync(file, 'utf8').split(' ');
    throw new DirectoryInUse(Number(pid) || undefined, since?.trim());
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid} ${new Date().toISOString()}\n`);
  return {
    data,
    release: async () => {
      await unlock();
      closeSync(fd);
    },
  };
}

/** Answers how to give the lock back, or nothing where another process has it. */
async function lock(fd: number, path: string): Promise<(() => Promise<void>) | undefined> {
  const native = await import('fs-native-extensions').catch(() => undefined);
  if (!native) return lockByName(path);
  return native.default.tryLock(fd) ? async () => native.default.unlock(fd) : undefined;
}

/**
 * Where the native lock is not to be had (Linux with musl): a name that the kernel gives to one process at
 * a time and takes back when that process ends.
 */
function lockByName(path: string): Promise<(() => Promise<void>) | undefined> {
  const hash = createHash('sha256').update(realpathSync(path)).digest('hex').slice(0, 32);
  const name = { linux: `\0taskloom-${hash}`, win32: `\\\\.\\pipe\\taskloom-${hash}` }[process.platform as string];
  if (!name) throw new UsageError('cannot lock the data directory on this platform: set TASKLOOM_DATABASE_URL');
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(name, () => {
      server.unref();
      resolve(() => new Promise<void>((done) => server.close(() => done())));
    });
  });
}
