import { writeSync } from 'node:fs';
import { MemoryFS, PGlite } from '@electric-sql/pglite';
import { btree_gin } from '@electric-sql/pglite/contrib/btree_gin';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import pLimit from 'p-limit';
import { UsageError } from '../errors.js';
import { type Connection, type Database, MAX_WAITING } from './database.js';
import { Busy, sqlState } from './database-errors.js';
import { compiled } from './pglite-code.js';
import { type Disk, type Fatal, failureOf, makeDisk } from './pglite-disk.js';
import type { Image } from './pglite-image.js';
import { type MaintenanceTimes, startMaintenance } from './pglite-maintenance.js';
import { EmbeddedStatements } from './pglite-statements.js';
import { PipelinedConnection } from './pipelined-connection.js';
import { PLANNING, TIME_FORMAT } from './settings.js';

/** Little memory: PostgreSQL's default of 128 MB of shared buffers is of no use in one process. */
const SMALL = { shared_buffers: '16MB' };
/** What each transaction sets on the other databases. */
const ALWAYS = { ...TIME_FORMAT, ...PLANNING };
/** Commits are on disk before they are acknowledged, and the write-ahead log is kept short. */
const DURABLE = { fsync: 'on', wal_sync_method: 'fsync', min_wal_size: '32MB', max_wal_size: '64MB' };
const settings = (given: Record<string, string>) =>
  Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

/** Parameters of initdb. WAL segments are small, because a new one is filled with zeros. */
export const newDirectory = { initDbStartParams: ['--wal-segsize=4'] };

/** Extensions that task search needs. They must be passed on every open, even if the directory has them. */
export const extensions = { btree_gin, pg_trgm };

const endProcess: Fatal = (reason) => {
  try {
    writeSync(2, `taskloom: ${reason}\n`);
  } finally {
    process.exit(1);
  }
};

/** Opens the embedded database in memory: a copy of the image, or a new one without migrations. */
export async function openMemory(image?: Image): Promise<Database> {
  const fs = new MemoryFS();
  const pglite = new Embedded({
    fs,
    pgliteWasmModule: await compiled(),
    startParams: [...PGlite.defaultStartParams, ...settings({ ...SMALL, ...ALWAYS })],
    extensions,
  });
  fs.initialSyncFs = async () => {
    if (!image) return;
    const { FS } = pglite.Module;
    const inMemory = (path: string) => `${PGlite.paths.PGDATA}/${path}`;
    for (const path of ['', ...image.directories]) FS.mkdir(inMemory(path));
    for (const [path, content] of image.files) FS.writeFile(inMemory(path), content);
  };
  await pglite.waitReady;
  return wrapPglite(pglite);
}

interface FilesOptions {
  /** Ends the process, with the reason, if data can no longer be stored: nothing more may be acknowledged. */
  fatal?: Fatal | undefined;
  /** Whether the files are still at the path where they were opened. */
  isInPlace?: () => boolean;
  /** Whether all files are known to be on disk. */
  synced?: boolean;
  /** Intervals of maintenance. */
  maintenance?: MaintenanceTimes;
  /** Resolves when the files are there: half of opening a database is done without them. */
  files?: Promise<void> | undefined;
}

/** Opens a database in files, creating it if needed. */
export async function openFiles(
  dataDir: string,
  { fatal = endProcess, isInPlace = () => true, synced = false, maintenance, files }: FilesOptions = {},
): Promise<Database> {
  const disk = makeDisk(fatal, synced);
  const fs = new NodeFS(dataDir);
  fs.initialSyncFs = async () => files;
  const pglite = new Embedded({
    fs,
    pgliteWasmModule: await compiled(),
    // `-F` would turn syncing off.
    startParams: [
      ...PGlite.defaultStartParams.filter((each) => each !== '-F'),
      ...settings({ ...SMALL, ...ALWAYS, ...DURABLE }),
    ],
    extensions: { ...extensions, disk: disk.extension },
    ...newDirectory,
  });
  await pglite.waitReady.catch((error: unknown) => {
    throw disk.failure ? new UsageError(disk.failure, dataDir) : error;
  });
  disk.markOpen();
  stopAtFaults(pglite, fatal);
  return wrapPglite(pglite, { disk, fatal, isInPlace, maintenance });
}

class Embedded extends PGlite {
  /** Skips the array types, which only `PGlite.query` needs: reading them would take a fifth of the start. */
  override async _initArrayTypes(): Promise<void> {}
}

/** Exit status with which PostgreSQL leaves a failed statement: the only exception from its code that is normal. */
const LONGJMP = 100;

/** Ends the process if PostgreSQL aborts: PGlite swallows all exceptions from its code, and would loop forever. */
function stopAtFaults(pglite: PGlite, fatal: Fatal): void {
  const module = pglite.Module;
  const once = module._PostgresMainLoopOnce;
  module._PostgresMainLoopOnce = () => {
    try {
      once();
    } catch (error) {
      if ((error as { status?: unknown }).status !== LONGJMP) fatal('the database stopped');
      throw error;
    }
  };
}

/** Iterations of the event loop between two turns. Each accepts at most one new connection. */
const LOOPS = 4;

async function yieldToEventLoop(): Promise<void> {
  for (let i = 0; i < LOOPS; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/**
 * Wraps PGlite, which has one connection, so callers take turns. Asking for it while holding it would deadlock; code
 * below the server cannot, as it never gets the database. (AsyncLocalStorage would detect it, at a cost for every
 * promise of the process on Node 20.)
 */
export function wrapPglite(
  pglite: PGlite,
  kept?: { disk: Disk; fatal: Fatal; isInPlace(): boolean; maintenance?: MaintenanceTimes | undefined },
): Database {
  const turns = pLimit(1);
  const inTurn = <T>(work: () => Promise<T>): Promise<T> =>
    turns(() => {
      if (kept && !kept.isInPlace()) kept.fatal('the data directory was moved or removed');
      return work();
    });
  /** Resolves when the event loop has run since the last turn: the database blocks the only thread. */
  let yielded: Promise<void> | undefined;
  const database: Database = {
    kind: 'pglite',
    async connect(work) {
      if (turns.pendingCount >= MAX_WAITING) throw new Busy();
      const turn = async () => {
        await yielded;
        try {
          return await lend(work);
        } finally {
          yielded = yieldToEventLoop();
        }
      };
      return inTurn(turn).finally(() => maintenance?.connectionReturned());
    },
    close: () => {
      maintenance?.stop();
      return inTurn(() => pglite.close());
    },
  };
  const statements = new EmbeddedStatements(pglite, (error) => {
    const failure = failureOf(sqlState(error));
    if (failure && kept) kept.fatal(failure); // before another statement runs, which might never end
  });
  const connection = new PipelinedConnection(
    (sent) => {
      for (const { text, params } of sent) database.onStatement?.(text, params);
      return statements.runPipeline(sent);
    },
    (text) => {
      database.onStatement?.(text, []);
      return statements.script(text);
    },
  );
  const maintenance =
    kept && startMaintenance(kept.disk, statements, (work) => void inTurn(work).catch(() => {}), kept.maintenance);
  async function lend<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await work(connection);
    } finally {
      if (connection.inTransaction) await connection.script('rollback'); // `work` left it open
    }
  }
  return database;
}
