import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import type { Migration } from './migrate.js';
import { manyFiles, syncPath, writeSynced } from './sync.js';

const decompress = promisify(brotliDecompress);

/** What is in an image: paths with `/`, directories with a size of -1. The files' bytes follow in this order. */
export type Index = [path: string, size: number][];

/** The version of PGlite that is installed. */
function engineVersion(): string {
  const path = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'));
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/**
 * What the image of a new database is called that has these migrations: a ready-made data directory, which
 * comes with the program because making one takes the database seconds.
 */
export function imageName(migrations: Migration[]): string {
  const contents = ['1', ...migrations.flatMap(({ when, hash }) => [when, hash])]; // 1: the format
  const digest = createHash('sha256').update(contents.join(' ')).digest('hex');
  return `pg18-${engineVersion()}-${digest.slice(0, 16)}.br`;
}

/** Unpacks the image beside the running program into a new directory, and onto the disk; answers false where none fits. */
export async function unpackImage(migrations: Migration[], folder: string): Promise<boolean> {
  const file = new URL(imageName(migrations), import.meta.url);
  const image = await readFile(file)
    .then(decompress)
    .catch(() => undefined);
  if (!image) return false;
  const start = 4 + image.readUInt32LE(0);
  const index = JSON.parse(image.toString('utf8', 4, start)) as Index;
  const directories = index.filter(([, size]) => size < 0).map(([name]) => join(folder, name));
  for (const path of directories) mkdirSync(path);
  const files: Promise<void>[] = [];
  const turns = manyFiles();
  let at = start;
  for (const [name, size] of index.filter(([, size]) => size >= 0)) {
    files.push(turns(writeSynced, join(folder, name), image.subarray(at, at + size)));
    at += size;
  }
  await Promise.allSettled(files); // one that is still made would be in the way of removing them
  await Promise.all(files);
  for (const path of [folder, ...directories]) await syncPath(path, true);
  return true;
}
