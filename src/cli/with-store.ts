import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Config } from '../config.js';
import { type OpenedStore, openStore, type Target } from '../db/connect.js';
import { UsageError } from '../errors.js';
import { makeLog } from '../log.js';
import type { Program } from '../program.js';
import { storeOptions } from '../server-deps.js';

/** What a command may use. */
export interface Context extends Program {
  config(): Config;
  /** The database, if the command runs in the process that owns it. */
  store?: () => Promise<OpenedStore>;
}

/** Thrown once the owner of the database has run the command and its output has been printed. */
export class RunElsewhere extends Error {
  constructor(readonly code: number) {
    super();
  }
}

/**
 * Opens the database while `work` runs.
 *
 * @param argv the whole command line, which the owner of an embedded database runs instead of this process
 * @param alone whether to retire that owner and run `work` here, so that it ends with this process
 * @throws RunElsewhere if the owner has run the command
 */
export async function withStore<T>(
  argv: string[],
  context: Context,
  work: (store: OpenedStore) => Promise<T>,
  { alone = false } = {},
): Promise<T> {
  if (context.store) return work(await context.store());
  const config = context.config();
  if (config.target.kind === 'memory')
    throw new UsageError(
      'a database in memory exists only in its own process, so no other command can use it: name another database',
    );
  if (config.target.kind === 'directory') return withOwner(argv, context, config.target, alone, work);
  const store = await openStore(config.target, storeOptions(context, config));
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Has the owner of a data directory run the command, or becomes its owner while the command runs. */
async function withOwner<T>(
  argv: string[],
  context: Context,
  target: Target & { kind: 'directory' },
  alone: boolean,
  work: (store: OpenedStore) => Promise<T>,
): Promise<T> {
  const [{ askToRetire, callOwner }, { becomeOwner, takeOver }, { makeDirectory }] = await Promise.all([
    import('../owner/reach.js'),
    import('../owner/background.js'),
    import('../db/lock.js'),
  ]);
  const config = context.config();
  const home = makeDirectory(target.path, target.fallback);
  const { build, cwd } = context;
  const runThere = async () => {
    const wish = () => ({ want: 'command', argv, cwd, timezone: config.timezone }) as const;
    const reached = await callOwner(home, build, wish);
    if (reached) throw new RunElsewhere(await exitCode(reached.socket, context));
    return true;
  };
  const owner = await takeOver(
    () => becomeOwner(context, config, makeLog(config.logLevel), home),
    alone ? () => askToRetire(home, build) : runThere,
  );
  try {
    return await work(await owner.store());
  } finally {
    await owner.stop();
  }
}

/**
 * Prints the output of a command that the owner runs, and returns its exit code.
 *
 * @throws UsageError if the owner exits first
 */
async function exitCode(socket: Socket, { print, complain }: Context): Promise<number> {
  socket.on('error', () => {}); // the loop ends as well
  for await (const line of createInterface({ input: socket })) {
    const message = JSON.parse(line) as { out?: string; err?: string; code?: number };
    if (message.out !== undefined) print(message.out);
    if (message.err !== undefined) complain(message.err);
    if (message.code !== undefined) return message.code;
  }
  throw new UsageError(
    'the process that has the task database exited during the command. Check whether it took effect, then retry',
  );
}
