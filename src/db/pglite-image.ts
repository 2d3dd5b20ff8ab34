import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import type { Migration } from './migrate.js';
import { manyFiles, syncPath, writeSynced } from './sync.js';

const decompress = promisify(brotliDecompress);

/** Contents of an image: paths with `/`, directories with size -1. The files' bytes follow in this order. */
export type Index = [path: string, size: number][];

/** Returns the version of the installed PGlite. */
function engineVersion(): string {
  const path = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'));
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/**
 * Returns the file name of the image with these migrations: a ready-made data directory, which ships with the program
 * because creating one takes seconds.
 */
export function imageName(migrations: Migration[]): string {
  const contents = ['1', ...migrations.flatMap(({ when, hash }) => [when, hash])]; // 1: version of the image format
  const digest = createHash('sha256').update(contents.join(' ')).digest('hex');
  return `pg18-${engineVersion()}-${digest.slice(0, 16)}.br`;
}

/** Unpacks the image beside the program into an empty directory, and syncs it. Returns false if no image fits. */
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
  const limit = manyFiles();
  let at = start;
  for (const [name, size] of index.filter(([, size]) => size >= 0)) {
    files.push(limit(writeSynced, join(folder, name), image.subarray(at, at + size)));
    at += size;
  }
  await Promise.allSettled(files); // a file still being written would get in the way of removing them
  await Promise.all(files);
  for (const path of [folder, ...directories]) await syncPath(path, true);
  return true;
}
