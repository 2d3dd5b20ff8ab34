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
import { DirectoryInUse, UsageError, whyNotWritten } from '../errors.js';

/** The embedded database's files are of one PostgreSQL major version. */
const DATA = 'pg18';

/** A data directory that this process alone may use. */
export interface Hold {
  /** Where the database's own files go. */
  data: string;
  /** Gives it back; again does no harm. */
  release(): Promise<void>;
}

/**
 * Makes a data directory, private, unless it is there.
 *
 * @param fallback used where `path` cannot be
 * @returns the one to use
 * @throws UsageError where neither can be written to
 */
export function makeDirectory(path: string, fallback?: string): string {
  try {
    // The database's files are readable by all: their directory is what keeps them private. The one above it
    // may be somebody's own, with other things in it, and keeps the mode it has.
    mkdirSync(path, { recursive: true, mode: 0o700 });
    mkdirSync(join(path, DATA), { recursive: true });
    chmodSync(join(path, DATA), 0o700);
    closeSync(openSync(lockFile(path), 'a+', 0o600));
    return path;
  } catch (error) {
    if (fallback) return makeDirectory(fallback);
    throw new UsageError(whyNotWritten(error), path);
  }
}

const lockFile = (path: string) => join(path, 'taskloom.lock');

/**
 * Takes a data directory for this process alone. The operating system keeps the lock, so that a dead process
 * cannot hold it and nobody can take it from a live one.
 *
 * @param path as `makeDirectory` answered it
 * @throws DirectoryInUse naming the process that holds it
 */
export async function holdDirectory(path: string): Promise<Hold> {
  const fd = openSync(lockFile(path), 'a+', 0o600);
  const unlock = await lock(fd, path);
  if (!unlock) {
    closeSync(fd);
    throw new DirectoryInUse(...holderOf(path));
  }
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid} ${new Date().toISOString()}\n`);
  } catch {} // on a full disk; it is for people
  let held = true;
  return {
    data: join(path, DATA),
    release: async () => {
      if (!held) return;
      held = false;
      await unlock();
      closeSync(fd);
    },
  };
}

function holderOf(path: string): [pid: number | undefined, since: string | undefined] {
  const [pid, since] = readFileSync(lockFile(path), 'utf8').split(' ');
  return [Number(pid) || undefined, since?.trim()];
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
