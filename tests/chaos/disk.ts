import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

/**
 * A disk that misbehaves below one directory, for the process that calls it: it stands between the embedded
 * database and node:fs, which is where its bytes leave the process.
 */
export interface Plan {
  /** Where it holds. */
  folder: string;
  /** The sync that fails, with EIO. */
  syncFails?: number;
  /** After so many bytes it is full. */
  fullAfter?: number;
  /** Takes so many pictures, one every few writes: what `kill -9` would leave, and what a power cut would. */
  pictures?: { count: number; every: number; folder: string };
}

/** What was done so far. */
export const seen = { syncs: 0, bytes: 0 };

/**
 * @param random numbers from 0 to 1
 * @param taken told of every picture
 */
export function spoil(plan: Plan, random: () => number, taken: (name: string) => void): void {
  const real = { ...fs };
  const paths = new Map<number, string>();
  const inside = (path: unknown): path is string => typeof path === 'string' && path.startsWith(plan.folder);
  const { pictures } = plan;
  // The shadow has what is known to be on the disk, and some of what may be.
  const shadow = pictures && join(pictures.folder, 'shadow');
  const shadowOf = (path: string) => (shadow && inside(path) ? shadow + path.slice(plan.folder.length) : undefined);
  if (shadow) real.cpSync(plan.folder, shadow, { recursive: true });
  let writes = 0;
  let left = pictures?.count ?? 0;
  let next = pictures ? Math.ceil(random() * pictures.every) : 0;

  function picture(): void {
    if (!pictures || !shadow || left === 0 || ++writes < next) return;
    const name = String(left--);
    next = writes + Math.ceil(random() * 2 * pictures.every);
    real.cpSync(plan.folder, join(pictures.folder, `kill-${name}`), { recursive: true });
    real.cpSync(shadow, join(pictures.folder, `cut-${name}`), { recursive: true });
    taken(name);
  }
  const failure = (code: string) => Object.assign(new Error(`${code}: simulated`), { code });
  /** Names are taken to be on the disk at once: PostgreSQL syncs directories, and what is lost so is not tested here. */
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
    picture();
    seen.bytes += typeof buffer === 'string' ? (buffer as string).length : length;
    if (plan.fullAfter !== undefined && seen.bytes > plan.fullAfter) throw failure('ENOSPC');
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
    picture();
    seen.syncs += 1;
    if (seen.syncs === plan.syncFails) throw failure('EIO');
    const there = shadowOf(path);
    if (there && real.statSync(path).isFile()) real.copyFileSync(path, there);
    work(fd);
  };
  fs.fsyncSync = sync(real.fsyncSync);
  fs.fdatasyncSync = sync(real.fdatasyncSync);
  syncBuiltinESMExports();
}
