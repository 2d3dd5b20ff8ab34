import { fdatasyncSync, fsyncSync } from 'node:fs';
import type { Extension, postgresMod } from '@electric-sql/pglite';
import { SQLSTATE } from './database-errors.js';

/** Ends the process: nothing may be acknowledged once the database cannot be trusted to store it. */
export type Fatal = (reason: string) => never;

/** The embedded database's access to its files. */
export interface Disk {
  /** Makes commits durable. It must be passed as an extension when the database is opened. */
  extension: Extension;
  /** Bytes written to the write-ahead log since this was last set to 0. */
  walBytes: number;
  /** The first failure while opening, in words for a person. */
  failure?: string | undefined;
  /** To be called after opening: from then on a failure ends the process; before, it fails the opening. */
  markOpen(): void;
}

/** Emscripten's error numbers in words for a person: ENOSPC, EDQUOT, EACCES, EPERM, EROFS. */
const MEANINGS = new Map([
  ...[51, 19].map((number) => [number, 'the disk is full'] as const),
  ...[2, 63, 69].map(
    (number) =>
      [
        number,
        'the database’s files may only be read. If a command was run as another account, give all of them to this one (chown -R)',
      ] as const,
  ),
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

interface Layer {
  stream_ops: Operations;
  node_ops: { mknod(...args: unknown[]): unknown };
}

/**
 * Makes the embedded database durable: `fsync` in PGlite's file layer does nothing and succeeds; this one syncs, and
 * detects failures. If a write of its log fails, PostgreSQL aborts, which PGlite takes for an ordinary error; it runs
 * on, forever or losing a commit. So the process ends inside the failed call, before anything is acknowledged.
 *
 * @param synced whether all files are on disk: until its first write, a database that recovers from a crash then
 *   need not sync each of them again
 */
export function makeDisk(fatal: Fatal, synced: boolean): Disk {
  let open = false;
  let untouched = synced;
  function fail(reason: string): void {
    if (open) fatal(reason);
    disk.failure ??= reason;
  }
  const disk: Disk = {
    walBytes: 0,
    markOpen: () => {
      open = true;
    },
    extension: {
      name: 'disk',
      setup: async (_pglite, options) => ({
        emscriptenOpts: { ...options, preRun: [...options.preRun, (mod: postgresMod.PostgresMod) => patch(mod)] },
      }),
    },
  };

  const recordingFailure =
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
    const { stream_ops: operations, node_ops: names } = NODEFS as unknown as Layer;
    const { write } = operations;
    // PostgreSQL reports what it cannot open, but not while it starts.
    operations.open = recordingFailure(operations.open);
    names.mknod = recordingFailure(names.mknod);
    operations.write = (stream, buffer, offset, length, position) => {
      if (stream.node.name !== 'postmaster.pid') untouched = false;
      try {
        const written = write(stream, buffer, offset, length, position);
        if (stream.node.parent.name === 'pg_wal') disk.walBytes += written;
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
        else if (process.platform !== 'win32') fsyncSync(stream.nfd); // Windows persists directories by itself
        return 0;
      } catch {
        fail('the disk does not keep what is written to it');
        throw new FS.ErrnoError(29); // EIO
      }
    };
  }
  return disk;
}

/** Returns what a SQLSTATE says about the database itself, if it is out of disk or memory, or failed internally. */
export function failureOf(state: string | undefined): string | undefined {
  if (state === SQLSTATE.diskFull) return 'the disk is full';
  return state && /^(53|58|XX000)/.test(state) ? `the database failed (SQLSTATE ${state})` : undefined;
}
