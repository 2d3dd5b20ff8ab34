import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DirectoryInUse, UsageError, whyNotWritten } from '../errors.js';

/** The major version of the embedded PostgreSQL. It cannot read the files of any other. */
export const POSTGRES_MAJOR = '18';

/** Subdirectory of the embedded database's files. */
const DATA = `pg${POSTGRES_MAJOR}`;

/** A data directory that this process has locked. */
export interface DirectoryLock {
  /** The directory of the database's own files. */
  data: string;
  /**
   * Whether the path still leads to the locked directory. The database opens its files by their paths: in another
   * directory put in its place, it would overwrite files.
   */
  isInPlace(): boolean;
  /** Releases the lock. Further calls do nothing. */
  release(): void;
}

/** Returns the data directory that `chooseDirectory` would return because it exists, and creates nothing. */
export function findDirectory(path: string, fallback?: string): string | undefined {
  if (mayExist(path)) return path;
  return fallback && existsSync(join(fallback, DATA)) ? fallback : undefined;
}

/**
 * Returns which data directory to use. If there is a fallback and `path` is used, it is created.
 *
 * @param fallback used if `path` does not exist and cannot be created, as in a sandbox. Not if it exists and cannot be
 *   written to: the tasks in it would seem to be lost.
 */
export function chooseDirectory(path: string, fallback?: string): string {
  const found = findDirectory(path, fallback); // the fallback has tasks from when the other could not be created
  if (found || !fallback) return found ?? path;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  } catch {
    return fallback;
  }
}

/** Whether a path exists or cannot be looked up. A link exists even if its target does not: a disk may not be mounted. */
function mayExist(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code));
  }
}

/**
 * Creates a private data directory, unless it exists.
 *
 * @param fallback see `chooseDirectory`
 * @returns the path of the one to use
 * @throws UsageError if it cannot be written to
 */
export function makeDirectory(preferred: string, fallback?: string): string {
  const path = chooseDirectory(preferred, fallback);
  try {
    // The database creates world-readable files: the mode of their directory keeps them private. The parent may be a
    // directory of the user with other content, so its mode is left as it is.
    mkdirSync(path, { recursive: true, mode: 0o700 });
    mkdirSync(join(path, DATA), { recursive: true });
    chmodSync(join(path, DATA), 0o700);
    closeSync(openSync(lockFile(path), 'a+', 0o600));
    return path;
  } catch (error) {
    throw new UsageError(whyNotWritten(error), path);
  }
}

const lockFile = (path: string) => join(path, 'taskloom.lock');

/**
 * Locks a data directory for this process. The operating system keeps the lock, so a dead process cannot hold it and
 * nobody can take it from a live one.
 *
 * @param path as returned by `makeDirectory`
 * @throws DirectoryInUse naming the process that holds the lock; UsageError if there is no means of locking
 */
export async function holdDirectory(path: string): Promise<DirectoryLock> {
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
  } catch {} // a full disk; the text only serves error messages
  let holding = true;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return {
    data: join(path, DATA),
    isInPlace() {
      const found = statSync(lockFile(path), { bigint: true, throwIfNoEntry: false });
      return found?.dev === dev && found.ino === ino;
    },
    release: () => {
      if (!holding) return;
      holding = false;
      unlock();
      closeSync(fd);
    },
  };
}

function holderOf(path: string): [pid: number | undefined, since: string | undefined] {
  const [pid, since] = readFileSync(lockFile(path), 'utf8').split(' ');
  return [Number(pid) || undefined, since?.trim()];
}

/** Locks an open file. Returns a function that unlocks it, or undefined if another process has it locked. */
async function lock(fd: number, path: string): Promise<(() => void) | undefined> {
  const native = (await import('fs-native-extensions').catch(() => undefined))?.default;
  if (native && !native.tryLock(fd)) return undefined;
  if (process.platform === 'linux') {
    // On musl there is no native lock, only this one, and the two do not see each other: so take both if possible.
    // It belongs to the open file, which outlives the command.
    const { status, stderr } = spawnSync('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'pipe', fd] });
    if (status === 1 && stderr.length === 0) return undefined; // BusyBox exits with 1 on any error, but then prints it
    if (status === 0) return () => native?.unlock(fd);
  }
  if (!native)
    throw new UsageError('cannot lock the data directory: install flock, or set TASKLOOM_DATABASE_URL', path);
  return () => native.unlock(fd);
}
