import type { Disk } from './pglite-disk.js';
import type { Statements } from './pglite-statements.js';

/** How long nobody has asked for anything, in milliseconds, when tables are gone over. */
const IDLE = 1_000;
/** Bytes of log after which its beginning is given back: at once, and when idle. */
const LOG = 32 * 2 ** 20;
const IDLE_LOG = 4 * 2 ** 20;

/**
 * Tables and indexes that have grown by a fifth since they were last gone over, or never were. Growth is all
 * that is to be held in bounds, and needs no count of writes that would have to outlive the process.
 */
const GROWN = `select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and (
    age(c.relfrozenxid) > 200000000
    or pg_relation_size(c.oid) / current_setting('block_size')::int > c.relpages * 1.2)`;

export interface Upkeep {
  /** To be told when a caller has given the connection back. */
  turned(): void;
  stop(): void;
}

/**
 * Does what a server's background processes would and the embedded database has none for: gives back the
 * write-ahead log, removes dead rows, gathers statistics.
 *
 * @param wait how long nobody may have asked for anything, in milliseconds
 * @param turn runs its argument when the connection is nobody's
 */
export function startUpkeep(
  disk: Disk,
  statements: Statements,
  turn: (work: () => Promise<void>) => void,
  wait = IDLE,
): Upkeep {
  let stopped = false;
  let last = performance.now();
  const run = (work: () => Promise<void>) =>
    turn(async () => {
      // What fails here is nobody's call, and is tried again; what would endanger data has ended the process.
      if (!stopped) await work().catch(() => {});
    });
  async function checkpoint(): Promise<void> {
    disk.logged = 0;
    await statements.script('checkpoint');
  }
  function idle(): void {
    // Timers go by the time at which the process last looked around: that was before a turn that took long.
    if (performance.now() - last < wait) return void timer.refresh();
    run(async () => {
      const [rows] = await statements.script(GROWN);
      // One turn for each: between them, callers have theirs.
      for (const [table] of rows ?? [])
        run(async () => void (await statements.script(`vacuum (analyze) ${String(table)}`)));
    });
    run(async () => {
      if (disk.logged > IDLE_LOG) await checkpoint();
    });
  }
  const timer: NodeJS.Timeout = setTimeout(idle, wait).unref();
  return {
    turned: () => {
      last = performance.now();
      timer.refresh();
      if (disk.logged > LOG) run(checkpoint);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
