import type { Disk } from './pglite-disk.js';
import type { EmbeddedStatements } from './pglite-statements.js';

/** When tables are vacuumed, in milliseconds. */
export interface MaintenanceTimes {
  /** After this long without a call. */
  idle?: number | undefined;
  /** Without such a pause, this long after the last time. */
  busy?: number | undefined;
}
const [IDLE, BUSY] = [1_000, 10_000];
/** Factors by which a table must have grown: under load, only growth that slows calls is worth the time of callers. */
const [GROWN_IDLE, GROWN_BUSY] = [1.2, 2];
/** Bytes of write-ahead log that cause a checkpoint: at once, and when idle. */
const LOG = 32 * 2 ** 20;
const IDLE_LOG = 4 * 2 ** 20;

/**
 * Selects tables that have grown since their last vacuum, never had one, or have old transaction ids. Only growth needs
 * to be bounded, and it needs no count of writes that would have to outlive the process.
 */
const grown = (
  factor: number,
) => `select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and (
    age(c.relfrozenxid) > 200000000
    or pg_relation_size(c.oid) / current_setting('block_size')::int > c.relpages * ${factor})`;

export interface Maintenance {
  /** To be called when a caller has returned the connection. */
  connectionReturned(): void;
  stop(): void;
}

/**
 * Does the work of a server's background processes, which the embedded database lacks: truncates the write-ahead log,
 * removes dead rows, gathers statistics.
 *
 * @param turn runs its argument when the connection is free
 */
export function startMaintenance(
  disk: Disk,
  statements: EmbeddedStatements,
  turn: (work: () => Promise<void>) => void,
  { idle: wait = IDLE, busy = BUSY }: MaintenanceTimes = {},
): Maintenance {
  let stopped = false;
  let last = performance.now();
  let lastVacuum = last;
  const run = (work: () => Promise<void>) =>
    turn(async () => {
      // Failures here affect no call, and the work is retried; one that endangers data has ended the process.
      if (!stopped) await work().catch(() => {});
    });
  async function checkpoint(): Promise<void> {
    disk.walBytes = 0;
    await statements.script('checkpoint');
  }
  /** Whether a checkpoint is queued; many calls may end before its turn. */
  let due = false;
  function checkpointSoon(): void {
    if (due || disk.walBytes <= LOG) return;
    due = true;
    run(async () => {
      due = false;
      await checkpoint();
    });
  }
  function vacuumGrown(factor: number): void {
    lastVacuum = performance.now();
    run(async () => {
      const [rows] = await statements.script(grown(factor));
      // One turn per table, so that callers get theirs in between.
      for (const [table] of rows ?? [])
        run(async () => void (await statements.script(`vacuum (analyze) ${String(table)}`)));
    });
  }
  function idle(): void {
    // Timers use the event loop's cached time, which predates a long turn: check the time that has really passed.
    if (performance.now() - last < wait) return void timer.refresh();
    vacuumGrown(GROWN_IDLE);
    run(async () => {
      if (disk.walBytes > IDLE_LOG) await checkpoint();
    });
  }
  const timer: NodeJS.Timeout = setTimeout(idle, wait).unref();
  return {
    connectionReturned: () => {
      last = performance.now();
      timer.refresh();
      checkpointSoon();
      if (last - lastVacuum > busy) vacuumGrown(GROWN_BUSY);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
