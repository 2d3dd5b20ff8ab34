import { fdatasyncSync, fsyncSync } from 'node:fs';
import type { Extension, postgresMod } from '@electric-sql/pglite';

/** Ends the process: nothing may be answered once the database can no longer be trusted to keep it. */
export type Fatal = (reason: string) => never;

/** The embedded database's way to its files. */
export interface Disk {
  /** What makes a commit durable: to be named among the extensions when the database is opened. */
  extension: Extension;
  /** Bytes written to the write-ahead log since this was last set to 0. */
  logged: number;
  /** What failed first while it was opened, in words for a person. */
  failure?: string | undefined;
  /** From now on a failure ends the process; before, it fails the opening. */
  opened(): void;
}

/** What an error of the file system means to a person, by Emscripten's numbers: ENOSPC, EDQUOT, EACCES, EPERM, EROFS. */
const MEANINGS = new Map([
  ...[51, 19].map((number) => [number, 'the disk is full'] as const),
  ...[2, 63, 69].map((number) => [number, 'the database’s files may only be read'] as const),
]);
const meaningOf = (error: unknown) => MEANINGS.get((error as { errno?: number }).errno ?? 0);

interface Stream {
  nfd: number;
  node: { name: string; mode: number; parent: { name: string } };
}

interface Operations {
  open(stream: Stream): void;
  write(stream: Stream, buffer: unknown, offset: number, length: number, position: number): number;
  fsync?(stream: Stream): number;
}

interface Ways {
  stream_ops: Operations;
  node_ops: { mknod(...args: unknown[]): unknown };
}

/**
 * The embedded database writes through a layer that cannot sync: `fsync` there does nothing and succeeds. This
 * makes it real, and sees what fails. PostgreSQL answers a failed write of its log by aborting, which that
 * layer takes for an ordinary error and runs on, for ever or with a commit that is lost: so the process ends
 * inside the call that failed, before anything is acknowledged.
 *
 * @param synced that all files are on the disk already: a database that crashed is then not made to sync each
 *   of them once more before it writes any
 */
export function makeDisk(fatal: Fatal, synced: boolean): Disk {
  let open = false;
  let untouched = synced;
  function fail(reason: string): void {
    if (open) fatal(reason);
    disk.failure ??= reason;
  }
  const disk: Disk = {
    logged: 0,
    opened: () => {
      open = true;
    },
    extension: {
      name: 'disk',
      setup: async (_pglite, options) => ({
        emscriptenOpts: { ...options, preRun: [...options.preRun, (mod: postgresMod.PostgresMod) => patch(mod)] },
      }),
    },
  };

  const noting =
    <A extends unknown[], R>(work: (...args: A) => R) =>
    (...args: A): R => {
      try {
        return work(...args);
      } catch (error) {
        if (!open) disk.failure ??= meaningOf(error);
        throw error;
      }
    };

  function patch({ FS, NODEFS }: postgresMod.PostgresMod): void {
    const { stream_ops: operations, node_ops: names } = NODEFS as unknown as Ways;
    const { write } = operations;
    // PostgreSQL says by itself what it could not open; of its start, nobody hears.
    operations.open = noting(operations.open);
    names.mknod = noting(names.mknod);
    operations.write = (stream, buffer, offset, length, position) => {
      if (stream.node.name !== 'postmaster.pid') untouched = false;
      try {
        const written = write(stream, buffer, offset, length, position);
        if (stream.node.parent.name === 'pg_wal') disk.logged += written;
        return written;
      } catch (error) {
        fail(meaningOf(error) ?? 'the database’s files cannot be written to');
        throw error;
      }
    };
    operations.fsync = (stream) => {
      if (untouched && stream.node.name !== 'postmaster.pid') return 0;
      try {
        const directory = FS.isDir(stream.node.mode);
        if (!directory) fdatasyncSync(stream.nfd);
        else if (process.platform !== 'win32') fsyncSync(stream.nfd); // Windows keeps directories by itself
        return 0;
      } catch {
        fail('the disk does not keep what is written to it');
        throw new FS.ErrnoError(29); // EIO
      }
    };
  }
  return disk;
}

/** What a SQLSTATE says of the database itself: short of disk or memory, a system error, a fault of its own. */
export function failureOf(state: string | undefined): string | undefined {
  if (state === '53100') return 'the disk is full';
  return state && /^(53|58|XX000)/.test(state) ? `the database failed (SQLSTATE ${state})` : undefined;
}
