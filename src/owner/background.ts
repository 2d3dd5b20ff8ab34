import { writeSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { openStore } from '../db/connect.js';
import { makeDirectory } from '../db/lock.js';
import { readMigrations } from '../db/migrate.js';
import { DirectoryInUse, UsageError } from '../errors.js';
import { makeLog } from '../log.js';
import type { Program } from '../program.js';
import { type Owner, runOwner } from './owner.js';
import type { Started } from './reach.js';

/** How long an owner that nobody is connected to stays, in milliseconds, if it may stay that long. */
const LINGER = 60_000;

/** Takes a data directory for this process. See `own`. */
export function ownHere(program: Program, config: Config, log: Logger, home: string, retires = true): Promise<Owner> {
  const { build, clock } = program;
  return runOwner({
    home,
    build,
    retires,
    open: (held, fatal) =>
      openStore(
        { kind: 'directory', path: home },
        { migrations: readMigrations(program.migrations), secret: config.secret, held, fatal },
      ),
    deps: { clock, log, version: build.version, historyDays: config.historyDays },
    async command({ argv, cwd, timezone }, store, say) {
      const { runCommand } = await import('../cli/commands.js');
      return runCommand(argv, { ...program, ...say, cwd, config: () => ({ ...config, timezone }), store });
    },
  });
}

/**
 * Runs the process that keeps a data directory's database in the background, until it is asked to stop or has
 * been idle for long enough. Tells whoever started it, in one line, what came of it.
 */
export async function ownInBackground(program: Program, config: Config, stopped: Promise<void>): Promise<void> {
  const tell = (started: Started) => {
    try {
      writeSync(1, `${JSON.stringify(started)}\n`);
    } catch {} // whoever started it is gone: others may still come
  };
  if (config.target.kind !== 'directory') throw new UsageError('only an embedded database is kept in the background');
  const log = makeLog(config.logLevel);
  try {
    const owner = await ownHere(program, config, log, makeDirectory(config.target.path));
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

/** Stops an owner once nobody has asked for anything in so many milliseconds. Resolves when it has stopped. */
async function untilIdle(owner: Owner, patience: number): Promise<void> {
  const linger = Math.min(patience, LINGER);
  const look = () => {
    if (performance.now() - owner.lastUse() >= (owner.isConnected() ? patience : linger)) owner.stop();
  };
  const looking = setInterval(look, Math.min(linger / 4, 10_000));
  owner.store().catch(() => setTimeout(owner.stop, 1_000)); // the next request may find it put right
  await owner.stopped;
  clearInterval(looking);
}
