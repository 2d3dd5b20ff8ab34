import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { openStore } from '../db/connect.js';
import { makeDirectory } from '../db/lock.js';
import { DirectoryInUse, UsageError } from '../errors.js';
import { makeLog } from '../log.js';
import type { Program } from '../program.js';
import { depsOf, storeOptions } from '../server-deps.js';
import { type Owner, runOwner } from './owner.js';
import type { StartOutcome } from './reach.js';

/** How long an idle owner stays without a client, in milliseconds, unless `idleSeconds` is shorter. */
const LINGER = 60_000;

/**
 * Makes this process the owner of a data directory. See `runOwner`.
 *
 * @param options.retires whether it gives the directory up when another process asks for it
 * @throws DirectoryInUse if another process owns it
 */
export function becomeOwner(
  program: Program,
  config: Config,
  log: Logger,
  home: string,
  { retires = true } = {},
): Promise<Owner> {
  return runOwner({
    home,
    build: program.build,
    retires,
    open: (held, fatal) =>
      openStore({ kind: 'directory', path: home }, { ...storeOptions(program, config), held, fatal }),
    deps: depsOf(program, config, log),
    async command({ argv, cwd, timezone }, store, say) {
      const { runCommand } = await import('../cli/commands.js');
      return runCommand(argv, { ...program, ...say, cwd, config: () => ({ ...config, timezone }), store });
    },
  });
}

/** How long to wait for a data directory whose owner is changing, in milliseconds. One may be closing its database. */
const TAKEOVER_TIMEOUT = 20_000;

/**
 * Makes this process the owner of a data directory in place of another.
 *
 * @param become calls `becomeOwner`
 * @param vacate is called before each attempt, to have the present owner leave. Returns false if it stays
 * @throws DirectoryInUse if the present owner stays, or others still have the directory after `TAKEOVER_TIMEOUT`
 */
export async function takeOver(become: () => Promise<Owner>, vacate: () => Promise<boolean>): Promise<Owner> {
  for (const until = performance.now() + TAKEOVER_TIMEOUT; ; await pause(50)) {
    const isVacant = await vacate();
    try {
      return await become();
    } catch (error) {
      if (!(error instanceof DirectoryInUse) || !isVacant || performance.now() > until) throw error;
    }
  }
}

/**
 * Runs this process as the background owner of a data directory, until it is asked to stop or has been idle for
 * long enough. Reports the outcome (`StartOutcome`) to the process that started it, as one line of JSON on stdout.
 *
 * @throws UsageError if the database is not embedded
 */
export async function runBackgroundOwner(program: Program, config: Config, stopped: Promise<void>): Promise<void> {
  const tell = (started: StartOutcome) => {
    try {
      writeSync(1, `${JSON.stringify(started)}\n`);
    } catch {} // the process that started it is gone; others may still connect
  };
  if (config.target.kind !== 'directory') throw new UsageError('only an embedded database is kept in the background');
  const log = makeLog(config.logLevel);
  try {
    const owner = await becomeOwner(program, config, log, makeDirectory(config.target.path));
    if (!owner.isShared) {
      await owner.stop();
      return tell('alone');
    }
    tell('ready');
    stopped.then(owner.stop);
    await untilIdle(owner, config.idleSeconds * 1000);
  } catch (error) {
    if (error instanceof DirectoryInUse) tell({ busy: error.pid });
    else if (error instanceof UsageError) tell({ failed: error.message, where: error.where });
    else throw error;
  }
}

/** Stops an owner that has been idle for `patience` milliseconds, at most `LINGER` without a client. */
async function untilIdle(owner: Owner, patience: number): Promise<void> {
  const linger = Math.min(patience, LINGER);
  const look = () => {
    if (performance.now() - owner.lastUse() >= (owner.isConnected() ? patience : linger)) owner.stop();
  };
  const looking = setInterval(look, Math.min(linger / 4, 10_000));
  owner.store().catch(() => setTimeout(owner.stop, 1_000)); // the next owner may find the cause fixed
  await owner.stopped;
  clearInterval(looking);
}
