import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { POSTGRES_MAJOR } from './lock.js';
import type { Migration } from './migrate.js';
import { manyFiles, syncDirectory, writeSynced } from './sync.js';

const decompress = promisify(brotliDecompress);

/** Table of contents of an image's file: paths with `/`, directories with size -1. The files' bytes follow in this order. */
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
  return `pg${POSTGRES_MAJOR}-${engineVersion()}-${digest.slice(0, 16)}.br`;
}

/** Paths of directories, parents first, and contents of files by path, relative to the data directory. */
export interface Image {
  directories: string[];
  files: [path: string, content: Uint8Array][];
}

/** Reads the image with these migrations that lies beside the program. Returns undefined if there is none. */
export const findImage = (migrations: Migration[]): Promise<Image | undefined> =>
  readImage(new URL(imageName(migrations), import.meta.url)).catch(() => undefined);

/** Reads an image that `scripts/image.ts` made. */
export async function readImage(file: URL): Promise<Image> {
  const image = await decompress(await readFile(file));
  let at = 4 + image.readUInt32LE(0);
  const index = JSON.parse(image.toString('utf8', 4, at)) as Index;
  const take = (size: number) => {
    at += size;
    return image.subarray(at - size, at);
  };
  return {
    directories: index.filter(([, size]) => size < 0).map(([path]) => path),
    files: index.filter(([, size]) => size >= 0).map(([path, size]) => [path, take(size)]),
  };
}

/** Unpacks an image into an empty directory, and syncs it. */
export async function unpackImage({ directories, files }: Image, folder: string): Promise<void> {
  for (const path of directories) mkdirSync(join(folder, path));
  const limit = manyFiles();
  const written = files.map(([path, content]) => limit(writeSynced, join(folder, path), content));
  await Promise.allSettled(written); // a file still being written would get in the way of removing them
  await Promise.all(written);
  for (const path of ['', ...directories]) await syncDirectory(join(folder, path));
}
