import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

/**
 * Disk faults to inject below one directory, in the calling process: functions of node:fs are replaced, through which the
 * embedded database accesses its files.
 */
export interface Plan {
  /** The directory that is affected. */
  folder: string;
  /** Which sync fails with EIO, counted from 1. */
  syncFails?: number;
  /** Number of bytes after which the disk is full. */
  fullAfter?: number;
  /** Takes `count` snapshots, one every few writes: what `kill -9` would leave, and what a power failure would. */
  snapshots?: { count: number; every: number; folder: string };
}

/** Syncs and bytes written so far. */
export const counts = { syncs: 0, bytes: 0 };

/**
 * Replaces functions of node:fs.
 *
 * @param random returns numbers from 0 to 1
 * @param taken called with the name of each snapshot
 */
export function injectFaults(plan: Plan, random: () => number, taken: (name: string) => void): void {
  const real = { ...fs };
  const paths = new Map<number, string>();
  const inside = (path: unknown): path is string => typeof path === 'string' && path.startsWith(plan.folder);
  const { snapshots } = plan;
  // A copy with the data that was synced, and some of the data that was not.
  const shadow = snapshots && join(snapshots.folder, 'shadow');
  const shadowOf = (path: string) => (shadow && inside(path) ? shadow + path.slice(plan.folder.length) : undefined);
  if (shadow) real.cpSync(plan.folder, shadow, { recursive: true });
  let writes = 0;
  let left = snapshots?.count ?? 0;
  let next = snapshots ? Math.ceil(random() * snapshots.every) : 0;

  function snapshot(): void {
    if (!snapshots || !shadow || left === 0 || ++writes < next) return;
    const name = String(left--);
    next = writes + Math.ceil(random() * 2 * snapshots.every);
    real.cpSync(plan.folder, join(snapshots.folder, `kill-${name}`), { recursive: true });
    real.cpSync(shadow, join(snapshots.folder, `cut-${name}`), { recursive: true });
    taken(name);
  }
  const failure = (code: string) => Object.assign(new Error(`${code}: simulated`), { code });
  /** Applies changes of directories to the shadow at once: losing them is not simulated, since PostgreSQL syncs directories. */
  const mirrored = <A extends unknown[], R>(work: (...args: A) => R, again: (args: A) => void) =>
    ((...args: A) => {
      const result = work(...args);
      again(args);
      return result;
    }) as never;

  fs.openSync = ((path: string, ...rest: [never]) => {
    const made = !real.existsSync(path);
    const fd = real.openSync(path, ...rest);
    const there = shadowOf(path);
    if (inside(path)) paths.set(fd, path);
    if (made && there) real.writeFileSync(there, '');
    return fd;
  }) as never;
  fs.writeFileSync = mirrored(real.writeFileSync, ([path]) => {
    const there = shadowOf(path as string);
    if (there) real.writeFileSync(there, '');
  });
  fs.mkdirSync = mirrored(real.mkdirSync as (path: string, options: never) => undefined, ([path]) => {
    const there = shadowOf(path);
    if (there) real.mkdirSync(there, { recursive: true });
  });
  fs.renameSync = mirrored(real.renameSync as (from: string, to: string) => void, ([from, to]) => {
    const [there, then] = [shadowOf(from), shadowOf(to)];
    if (there && then) real.renameSync(there, then);
  });
  fs.unlinkSync = mirrored(real.unlinkSync as (path: string) => void, ([path]) => {
    const there = shadowOf(path);
    if (there) real.rmSync(there, { force: true });
  });
  fs.closeSync = (fd) => {
    paths.delete(fd);
    real.closeSync(fd);
  };
  fs.writeSync = ((fd: number, buffer: Uint8Array, offset: number, length: number, position: number) => {
    const path = paths.get(fd);
    if (path === undefined) return real.writeSync(fd, buffer as never, offset, length, position);
    snapshot();
    counts.bytes += typeof buffer === 'string' ? (buffer as string).length : length;
    if (plan.fullAfter !== undefined && counts.bytes > plan.fullAfter) throw failure('ENOSPC');
    const there = shadowOf(path);
    if (there && typeof position === 'number' && random() < 0.3) {
      const other = real.openSync(there, 'r+');
      real.writeSync(other, buffer, offset, length, position);
      real.closeSync(other);
    }
    return real.writeSync(fd, buffer, offset, length, position);
  }) as never;
  const sync = (work: (fd: number) => void) => (fd: number) => {
    const path = paths.get(fd);
    if (path === undefined) return work(fd);
    snapshot();
    counts.syncs += 1;
    if (counts.syncs === plan.syncFails) throw failure('EIO');
    const there = shadowOf(path);
    if (there && real.statSync(path).isFile()) real.copyFileSync(path, there);
    work(fd);
  };
  fs.fsyncSync = sync(real.fsyncSync);
  fs.fdatasyncSync = sync(real.fdatasyncSync);
  syncBuiltinESMExports();
}
