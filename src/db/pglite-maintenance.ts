import type { Disk } from './pglite-disk.js';
import type { Statements } from './pglite-statements.js';

/** When tables are gone over, in milliseconds. */
export interface MaintenanceTimes {
  /** How long nobody has asked for anything. */
  idle?: number | undefined;
  /** How long somebody always has, since that was last possible. */
  busy?: number | undefined;
}
const [IDLE, BUSY] = [1_000, 10_000];
/** By how much tables must have grown: while somebody waits, only what makes his calls slow is worth his time. */
const [GROWN_IDLE, GROWN_BUSY] = [1.2, 2];
/** Bytes of log after which its beginning is given back: at once, and when idle. */
const LOG = 32 * 2 ** 20;
const IDLE_LOG = 4 * 2 ** 20;

/**
 * Tables that have grown since they were last gone over, or never were. Growth is all that is to be held in bounds, and
 * needs no count of writes that would have to outlive the process.
 */
const grown = (
  factor: number,
) => `select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and (
    age(c.relfrozenxid) > 200000000
    or pg_relation_size(c.oid) / current_setting('block_size')::int > c.relpages * ${factor})`;

export interface Maintenance {
  /** To be told when a caller has given the connection back. */
  turned(): void;
  stop(): void;
}

/**
 * Does what a server's background processes would and the embedded database has none for: gives back the
 * write-ahead log, removes dead rows, gathers statistics.
 *
 * @param turn runs its argument when the connection is nobody's
 */
export function startMaintenance(
  disk: Disk,
  statements: Statements,
  turn: (work: () => Promise<void>) => void,
  { idle: wait = IDLE, busy = BUSY }: MaintenanceTimes = {},
): Maintenance {
  let stopped = false;
  let last = performance.now();
  let wentOver = last;
  const run = (work: () => Promise<void>) =>
    turn(async () => {
      // What fails here is nobody's call, and is tried again; what would endanger data has ended the process.
      if (!stopped) await work().catch(() => {});
    });
  async function checkpoint(): Promise<void> {
    disk.logged = 0;
    await statements.script('checkpoint');
  }
  /** Whether one waits for its turn, before which many others may end. */
  let due = false;
  function checkpointSoon(): void {
    if (due || disk.logged <= LOG) return;
    due = true;
    run(async () => {
      due = false;
      await checkpoint();
    });
  }
  function goOver(factor: number): void {
    wentOver = performance.now();
    run(async () => {
      const [rows] = await statements.script(grown(factor));
      // One turn for each: between them, callers have theirs.
      for (const [table] of rows ?? [])
        run(async () => void (await statements.script(`vacuum (analyze) ${String(table)}`)));
    });
  }
  function idle(): void {
    // Timers go by the time at which the process last looked around: that was before a turn that took long.
    if (performance.now() - last < wait) return void timer.refresh();
    goOver(GROWN_IDLE);
    run(async () => {
      if (disk.logged > IDLE_LOG) await checkpoint();
    });
  }
  const timer: NodeJS.Timeout = setTimeout(idle, wait).unref();
  return {
    turned: () => {
      last = performance.now();
      timer.refresh();
      checkpointSoon();
      if (last - wentOver > busy) goOver(GROWN_BUSY);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
