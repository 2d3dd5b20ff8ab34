import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { readImage, unpackImage } from '../../src/db/pglite-image.js';
import { ensureBuilt } from './dist.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The driver that the tests of this project use. */
    backend: 'pglite' | 'postgres' | 'neon';
    /** PGlite: URL of the database image. Others: URL of a server, with a login that may create databases. */
    source: string;
    /** PGlite: a data directory with a migrated, empty database to copy. */
    unpacked: string;
    /** Neon: `host:port/path` of the WebSocket proxy. */
    proxy: string;
  }
}

/** Every test file starts from the image that ships with the program, since initdb takes seconds. */
export default async function setup(project: TestProject) {
  ensureBuilt();
  const dist = new URL('../../dist/', import.meta.url);
  const image = new URL(String(readdirSync(dist).find((name) => name.endsWith('.br'))), dist);
  const folder = mkdtempSync(join(tmpdir(), 'taskloom-test-'));
  await unpackImage(await readImage(image), folder);
  project.provide('backend', 'pglite');
  project.provide('source', image.href);
  project.provide('unpacked', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
