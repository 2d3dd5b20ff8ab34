import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../config.js';
import { type OpenedStore, openStore, type Target } from '../db/connect.js';
import { readMigrations } from '../db/migrate.js';
import { DirectoryInUse, UsageError } from '../errors.js';
import { makeLog } from '../log.js';
import type { Program } from '../program.js';

/** What a command may touch. */
export interface Context extends Program {
  config(): Config;
  /** The database, where the command runs in the process that has it. */
  store?: () => Promise<OpenedStore>;
}

/** The command was run by the process that has the database, which printed what there is to print. */
export class RunElsewhere extends Error {
  constructor(readonly code: number) {
    super();
  }
}

/**
 * Opens the database for the time that `work` takes.
 *
 * @param argv the whole command line, which the owner of an embedded database runs in the place of this process
 * @param alone whether the work is done here, where it ends with this process, and not by that owner
 * @throws RunElsewhere once the owner has run it
 */
export async function withStore<T>(
  argv: string[],
  context: Context,
  work: (store: OpenedStore) => Promise<T>,
  { alone = false } = {},
): Promise<T> {
  if (context.store) return work(await context.store());
  const config = context.config();
  if (config.target.kind === 'directory') return withOwner(argv, context, config.target, alone, work);
  const store = await openStore(config.target, {
    migrations: readMigrations(context.migrations),
    secret: config.secret,
  });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** How long a command waits for a data directory that is changing hands, in milliseconds. */
const TAKEOVER_TIMEOUT = 10_000;

/** Has the owner of a data directory run the command, or becomes its owner for as long as the command takes. */
async function withOwner<T>(
  argv: string[],
  context: Context,
  target: Target & { kind: 'directory' },
  alone: boolean,
  work: (store: OpenedStore) => Promise<T>,
): Promise<T> {
  const [{ askToRetire, callOwner }, { ownHere }, { makeDirectory }] = await Promise.all([
    import('../owner/reach.js'),
    import('../owner/background.js'),
    import('../db/lock.js'),
  ]);
  const config = context.config();
  const home = makeDirectory(target.path, target.fallback);
  const { cwd } = context;
  const wish = () => ({ want: 'command', argv, cwd, timezone: config.timezone }) as const;
  for (const until = performance.now() + TAKEOVER_TIMEOUT; ; await pause(50)) {
    const reached = alone ? void (await askToRetire(home, context.build)) : await callOwner(home, context.build, wish);
    if (reached) throw new RunElsewhere(await heard(reached.socket, context));
    try {
      const owner = await ownHere(context, config, makeLog(config.logLevel), home);
      try {
        return await work(await owner.store());
      } finally {
        await owner.stop();
      }
    } catch (error) {
      if (!(error instanceof DirectoryInUse) || performance.now() > until) throw error;
    }
  }
}

/** Prints what an owner says, and answers the exit code with which it ends. */
async function heard(socket: Socket, { print, complain }: Context): Promise<number> {
  socket.on('error', () => {}); // it ends then, too
  for await (const line of createInterface({ input: socket })) {
    const said = JSON.parse(line) as { out?: string; err?: string; code?: number };
    if (said.out !== undefined) print(said.out);
    if (said.err !== undefined) complain(said.err);
    if (said.code !== undefined) return said.code;
  }
  throw new UsageError(
    'the process that keeps the tasks ended before it was done. Look whether it was, then try again',
  );
}
