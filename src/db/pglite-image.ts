import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import type { Migration } from './migrate.js';

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

/** Unpacks the image beside the running program into a new directory; answers false where there is none that fits. */
export function unpackImage(migrations: Migration[], folder: string): boolean {
  const image = readImage(new URL(imageName(migrations), import.meta.url));
  if (!image) return false;
  const start = 4 + image.readUInt32LE(0);
  const index = JSON.parse(image.toString('utf8', 4, start)) as Index;
  let at = start;
  for (const [path, size] of index)
    if (size < 0) mkdirSync(join(folder, path));
    else {
      writeFileSync(join(folder, path), image.subarray(at, at + size), { mode: 0o600 });
      at += size;
    }
  return true;
}

function readImage(file: URL): Buffer | undefined {
  let packed: Buffer;
  try {
    packed = readFileSync(fileURLToPath(file));
  } catch {
    return undefined;
  }
  return brotliDecompressSync(packed);
}
