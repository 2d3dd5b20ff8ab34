// Makes the image of a new, empty, migrated database, for scripts/build.mjs. It contains no user, secret or token.
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { PGlite } from '@electric-sql/pglite';
import { type Migration, migrate, readMigrations } from '../src/db/migrate.js';
import { extensions, newDirectory, wrapPglite } from '../src/db/pglite.js';
import { type Index, imageName } from '../src/db/pglite-image.js';

/**
 * Makes the image unless it exists.
 *
 * @returns its file name in `folder`
 */
export async function ensureImage(folder: string): Promise<string> {
  const migrations = readMigrations(pathToFileURL(join(folder, '../migrations/')));
  const name = imageName(migrations);
  if (existsSync(join(folder, name))) return name;
  const data = mkdtempSync(join(tmpdir(), 'taskloom-image-'));
  try {
    await make(data, migrations);
    writeFileSync(join(folder, `${name}.tmp`), pack(data));
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
  renameSync(join(folder, `${name}.tmp`), join(folder, name)); // an interrupted build leaves no partial image
  return name;
}

async function make(dataDir: string, migrations: Migration[]): Promise<void> {
  const pglite = await PGlite.create({ dataDir, extensions, ...newDirectory });
  await migrate(wrapPglite(pglite), migrations);
  // Drops the template databases: no other database is ever created.
  await pglite.exec(`update pg_database set datistemplate = false where datname like 'template_'`);
  for (const template of ['template0', 'template1']) await pglite.exec(`drop database ${template}`);
  await pglite.exec('vacuum (full, freeze, analyze)');
  await removeSpareWal(pglite, dataDir);
  await pglite.exec('select pg_switch_wal(); checkpoint'); // continues in an empty WAL file
  await pglite.close();
  // Opens it once more, so that the image contains the caches that opening creates.
  const reopened = await PGlite.create({ dataDir, extensions });
  await removeSpareWal(reopened, dataDir);
  await reopened.close();
}

/** Removes the WAL files that PostgreSQL keeps for reuse: those after the current one. */
async function removeSpareWal(pglite: PGlite, dataDir: string): Promise<void> {
  const { rows } = await pglite.query<{ name: string }>('select pg_walfile_name(pg_current_wal_lsn()) as name');
  const folder = join(dataDir, 'pg_wal');
  for (const file of readdirSync(folder))
    if (/^[0-9A-F]{24}$/.test(file) && file > String(rows[0]?.name)) rmSync(join(folder, file));
}

function pack(folder: string): Buffer {
  const index: Index = [];
  const contents: Buffer[] = [];
  const paths = readdirSync(folder, { recursive: true }).map((path) => join(folder, String(path)));
  for (const path of paths.sort()) {
    const name = relative(folder, path).split(sep).join('/');
    if (statSync(path).isDirectory()) index.push([name, -1]);
    else {
      const content = readFileSync(path);
      index.push([name, content.length]);
      contents.push(content);
    }
  }
  const head = Buffer.from(JSON.stringify(index));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return brotliCompressSync(Buffer.concat([length, head, ...contents]), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
}
