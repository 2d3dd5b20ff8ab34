import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DirectoryInUse, UsageError, whyNotWritten } from '../errors.js';

/** The embedded database's files are of one PostgreSQL major version. */
const DATA = 'pg18';

/** A data directory that this process alone may use. */
export interface Hold {
  /** Where the database's own files go. */
  data: string;
  /**
   * Whether it still is the directory that is held, or another was put in its place. The database opens its files by
   * their paths: in another's, it would write over them.
   */
  isThere(): boolean;
  /** Gives it back; again does no harm. */
  release(): void;
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
  const unlock = await lock(fd, path).catch((error: unknown) => {
    closeSync(fd);
    throw error;
  });
  if (!unlock) {
    closeSync(fd);
    throw new DirectoryInUse(...holderOf(path));
  }
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid} ${new Date().toISOString()}\n`);
  } catch {} // on a full disk; it is for people
  let held = true;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return {
    data: join(path, DATA),
    isThere() {
      const found = statSync(lockFile(path), { bigint: true, throwIfNoEntry: false });
      return found?.dev === dev && found.ino === ino;
    },
    release: () => {
      if (!held) return;
      held = false;
      unlock();
      closeSync(fd);
    },
  };
}

function holderOf(path: string): [pid: number | undefined, since: string | undefined] {
  const [pid, since] = readFileSync(lockFile(path), 'utf8').split(' ');
  return [Number(pid) || undefined, since?.trim()];
}

/** Locks an open file, until that is unlocked or closed, and answers how to; or nothing where another process has it. */
async function lock(fd: number, path: string): Promise<(() => void) | undefined> {
  const native = (await import('fs-native-extensions').catch(() => undefined))?.default;
  if (native && !native.tryLock(fd)) return undefined;
  if (process.platform === 'linux') {
    // Where the native lock is not built (musl) this one is all there is, so that those who have both take both.
    // It belongs to the open file, which outlives the command.
    const { status, stderr } = spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'pipe', fd] });
    if (status === 1 && stderr.length === 0) return undefined; // BusyBox answers 1 to whatever fails, and says why
    if (status === 0) return () => native?.unlock(fd);
  }
  if (!native)
    throw new UsageError('cannot lock the data directory: install flock, or set TASKLOOM_DATABASE_URL', path);
  return () => native.unlock(fd);
}
