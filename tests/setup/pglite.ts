import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { TestProject } from 'vitest/node';
import { migrate, readMigrations } from '../../src/db/migrate.js';
import { extensions, wrapPglite } from '../../src/db/pglite.js';
import { ensureBuilt } from './dist.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Which driver the tests of this project run on. */
    backend: 'pglite' | 'postgres' | 'neon';
    /** PGlite: a file with a migrated data directory. Others: the URL of a server, as a login that may create databases. */
    source: string;
    /** Neon: `host:port/path` of the WebSocket proxy. */
    proxy: string;
  }
}

/** A migrated, empty database, made once and copied by every test file: initdb takes seconds, a copy does not. */
export default async function setup(project: TestProject) {
  ensureBuilt();
  const folder = mkdtempSync(join(tmpdir(), 'taskloom-test-'));
  const pglite = await PGlite.create({ extensions });
  await migrate(wrapPglite(pglite), readMigrations(new URL('../../migrations/', import.meta.url)));
  const image = await pglite.dumpDataDir('none');
  const file = join(folder, 'image.tar');
  writeFileSync(file, new Uint8Array(await image.arrayBuffer()));
  await pglite.close();
  project.provide('backend', 'pglite');
  project.provide('source', file);
  return () => rmSync(folder, { recursive: true, force: true });
}
