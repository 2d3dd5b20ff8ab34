import { writeSync } from 'node:fs';
import { PGlite } from '@electric-sql/pglite';
import { btree_gin } from '@electric-sql/pglite/contrib/btree_gin';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import pLimit from 'p-limit';
import { UsageError } from '../errors.js';
import { Busy, type Connection, type Database, MAX_WAITING, PipelinedConnection, sqlState } from './database.js';
import { compiled } from './pglite-code.js';
import { type Disk, type Fatal, failureOf, makeDisk } from './pglite-disk.js';
import { type MaintenanceTimes, startMaintenance } from './pglite-maintenance.js';
import { Statements } from './pglite-statements.js';
import { AS_TEXT, PLANNING } from './settings.js';

/** Memory of a small server: PostgreSQL's default of 128 MB buffers is of no use in one process. */
const SMALL = { shared_buffers: '16MB' };
/** What elsewhere each transaction sets for itself. */
const ALWAYS = { ...AS_TEXT, ...PLANNING };
/** A commit is on the disk before it is answered, and the log is kept short. */
const DURABLE = { fsync: 'on', wal_sync_method: 'fsync', min_wal_size: '32MB', max_wal_size: '64MB' };
const settings = (given: Record<string, string>) =>
  Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

/** How a new directory is made. Its log comes in small files: a new one is written full of zeros. */
export const newDirectory = { initDbStartParams: ['--wal-segsize=4'] };

/** What the search of tasks needs: to be named at every open, also of a directory that has them. */
export const extensions = { btree_gin, pg_trgm };

const endProcess: Fatal = (reason) => {
  try {
    writeSync(2, `taskloom: ${reason}\n`);
  } finally {
    process.exit(1);
  }
};

/**
 * Opens the embedded database in memory.
 *
 * @param image a data directory to start from, as `dumpDataDir` makes it
 */
export async function openPglite(image?: Blob): Promise<Database> {
  const startParams = [...PGlite.defaultStartParams, ...settings({ ...SMALL, ...ALWAYS })];
  return wrapPglite(await PGlite.create({ startParams, extensions, ...(image && { loadDataDir: image }) }));
}

interface FilesOptions {
  /** Told why nothing can be kept any more, and nothing answered: ends the process. */
  fatal?: Fatal | undefined;
  /** Whether the files are still where they were opened. */
  isThere?: () => boolean;
  /** That all files are known to be on the disk. */
  synced?: boolean;
  /** When it is looked after. */
  maintenance?: MaintenanceTimes;
  /** When the files are there: half of opening a database is done without them. */
  files?: Promise<void> | undefined;
}

/** Opens a database in files, made if need be. */
export async function openFiles(
  dataDir: string,
  { fatal = endProcess, isThere = () => true, synced = false, maintenance, files }: FilesOptions = {},
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
  disk.opened();
  stopAtFaults(pglite, fatal);
  return wrapPglite(pglite, { disk, fatal, isThere, maintenance });
}

class Embedded extends PGlite {
  /** What `PGlite.query` needs to read arrays, which is not used here, would be a fifth of the start. */
  override async _initArrayTypes(): Promise<void> {}
}

/** How PostgreSQL leaves a statement that failed: the one exception out of its code that is in order. */
const LONGJMP = 100;

/** PGlite swallows all exceptions out of PostgreSQL's code, and then runs a database that has aborted in a circle. */
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

/** How often the process looks at what came in between two turns: of new connections, it takes one each time. */
const LOOKS = 4;

async function yieldToEventLoop(): Promise<void> {
  for (let i = 0; i < LOOKS; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/**
 * One connection is all there is, so callers take turns. Whoever asks for it while holding it would wait for
 * ever; nothing below the server ever sees the database, so that nothing can. (An AsyncLocalStorage would
 * notice, at a cost to every promise of the process on Node 20.)
 */
export function wrapPglite(
  pglite: PGlite,
  kept?: { disk: Disk; fatal: Fatal; isThere(): boolean; maintenance?: MaintenanceTimes | undefined },
): Database {
  const turns = pLimit(1);
  const inTurn = <T>(work: () => Promise<T>): Promise<T> =>
    turns(() => {
      if (kept && !kept.isThere()) kept.fatal('the data directory was moved or removed');
      return work();
    });
  /** When the process has looked at what came in since the last turn: the database works in its only thread. */
  let looked: Promise<void> | undefined;
  const database: Database = {
    kind: 'pglite',
    async connect(work) {
      if (turns.pendingCount >= MAX_WAITING) throw new Busy();
      const turn = async () => {
        await looked;
        try {
          return await lend(work);
        } finally {
          looked = yieldToEventLoop();
        }
      };
      return inTurn(turn).finally(() => maintenance?.turned());
    },
    close: () => {
      maintenance?.stop();
      return inTurn(() => pglite.close());
    },
  };
  const statements = new Statements(pglite, (error) => {
    const failure = failureOf(sqlState(error));
    if (failure && kept) kept.fatal(failure); // before another statement is run: it might never end
  });
  const line = new PipelinedConnection(
    (sent) => {
      for (const { text, params } of sent) database.onStatement?.(text, params);
      return statements.fly(sent);
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
      return await work(line);
    } finally {
      if (line.inTransaction) await line.script('rollback'); // left behind by `work`: the next caller must not be in it
    }
  }
  return database;
}
