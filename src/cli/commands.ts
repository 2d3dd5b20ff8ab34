import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type * as z from 'zod/v4';
import { type Config, displayName, handle as handleSchema, targetOf, timezone as timezoneSchema } from '../config.js';
import { readBackup } from '../db/backup.js';
import { connect, type OpenedStore, openStore, type Target } from '../db/connect.js';
import { isUnreachable, setupMistake, sqlState } from '../db/database.js';
import { migrate, migrationScript, readMigrations } from '../db/migrate.js';
import { restore } from '../db/restore.js';
import { DirectoryInUse, UsageError } from '../errors.js';
import { makeLog } from '../log.js';
import type { Program } from '../program.js';
import { SCOPES, type Scope } from '../tool.js';
import { addUser, createToken, editUser, listTokens, listUsers, revokeToken, setDisabled } from './accounts.js';
import { checkNew, counted, moveTo, readFile, rowsIn, writeBackup } from './backup.js';
import { serve } from './serve.js';

/** What a command may touch. */
export interface Context extends Program {
  config(): Config;
  /** The database, where the command runs in the process that has it. */
  store?: () => Promise<OpenedStore>;
}

/** The command was run by the process that has the database, which printed what there is to print. */
class RunElsewhere extends Error {
  constructor(readonly code: number) {
    super();
  }
}

/**
 * Runs a command line.
 *
 * @returns the exit code: 0, or 2 with one line of complaint for whatever a person can put right
 */
export async function runCommand(argv: string[], context: Context): Promise<number> {
  try {
    await commandLine(argv, context).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof RunElsewhere) return error.code;
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const line = complaint(error);
    if (line === undefined) throw error;
    context.complain(printable(line));
    return 2;
  }
}

/** One line for what a person can put right; nothing for what only we can. */
function complaint(error: unknown): string | undefined {
  if (error instanceof UsageError) return `taskloom: ${error.message}${error.where ? `: ${error.where}` : ''}`;
  const mistake = setupMistake(error);
  if (mistake) return `taskloom: the database cannot be used: ${mistake}`;
  if (sqlState(error) === '42501') return 'taskloom: the database login lacks a right that this needs (SQLSTATE 42501)';
  if (isUnreachable(error)) return 'taskloom: the database cannot be reached; check its address and that it runs';
  return undefined;
}

function commandLine(argv: string[], context: Context): Command {
  const { print } = context;
  const root = new Command('taskloom')
    .description('The task server for AI agents. Without a command: serve one client over stdio.')
    .version(context.build.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => print(text.trimEnd()),
      // All that commander complains of begins with "error: ".
      writeErr: (text) => context.complain(printable(`taskloom: ${text.slice(7).trim().replaceAll('\n', ' ')}`)),
    })
    // Help that nobody asked for, as for a bare `taskloom user`, is many lines; a complaint is one.
    .addHelpText('beforeAll', ({ error, command }) => {
      const names = command.commands.map((each) => each.name()).join(', ');
      if (error) throw new UsageError(`${command.name()} needs a command: ${names}`);
      return '';
    });

  const migrations = () => readMigrations(context.migrations);
  /** @param alone whether the work is done here, where it ends with this process, and not by the owner of the database */
  const withStore = async <T>(work: (store: OpenedStore) => Promise<T>, { alone = false } = {}): Promise<T> => {
    if (context.store) return work(await context.store());
    const config = context.config();
    if (config.target.kind === 'directory') return withOwner(argv, context, config.target, alone, work);
    const store = await openStore(config.target, { migrations: migrations(), secret: config.secret });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  };
  /** A subcommand: all take --json, and print one thing. */
  const leaf = (parent: Command, usage: string, description: string) =>
    parent.command(usage).description(description).option('--json', 'print JSON').copyInheritedSettings(root);
  const show = (options: { json?: boolean }, json: unknown, text: string) =>
    print(options.json ? JSON.stringify(json) : text);

  root
    .command('serve')
    .description('serve many users over Streamable HTTP')
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on', checkPort)
    .option('--migrate', 'bring the database’s schema up to date first')
    .option('--json', 'print JSON')
    .copyInheritedSettings(root)
    .action((options) => serve(context, options));

  leaf(root, 'migrate', 'bring the database’s schema up to date')
    .option('--print-sql', 'print what would be run, and run nothing')
    .action(async (options) => {
      const report = (given: { json?: boolean }, applied: string[]) =>
        show(given, { applied }, applied.length > 0 ? `applied ${applied.join(', ')}` : 'already up to date');
      const { target } = context.config();
      if (target.kind === 'directory' || target.kind === 'memory') {
        if (options.printSql) return print(await migrationScript(migrations()));
        // These are migrated whenever they are opened.
        return report(options, await withStore(async ({ applied }) => applied));
      }
      const database = await connect(target);
      try {
        if (options.printSql) return print(await migrationScript(migrations(), database));
        report(options, await migrate(database, migrations()));
      } finally {
        await database.close();
      }
    });

  leaf(root, 'owner', 'show the process that has the embedded database')
    .option('--stop', 'have it finish, close the database and end')
    .action(async (options) => {
      const { target } = context.config();
      if (target.kind !== 'directory') throw new UsageError('only an embedded database has an owner');
      const { askToRetire, statusOf } = await import('../owner/reach.js');
      const status = await statusOf(target.path, target.fallback);
      if (!status) return show(options, {}, 'no process has it open');
      const { pid, version, connections, idle } = status;
      if (options.stop && !(await askToRetire(status.home, context.build)))
        throw new UsageError(`process ${pid} serves over HTTP and stays: end that process itself`);
      const words = `process ${pid} (${version}), ${connections} connected, last asked ${idle} s ago`;
      show(
        options,
        { pid, version, connections, idle, stopped: Boolean(options.stop) },
        options.stop ? `stopped ${words}` : words,
      );
    });
  leaf(root, 'backup <file>', 'write all there is into a file: accounts, tokens, tasks and their history')
    .option('--force', 'replace the file if it is there')
    .action(async (path: string, { force = false, ...options }) => {
      const file = resolve(context.cwd, path);
      checkNew(file, force);
      const tables = await withStore(({ database }) =>
        writeBackup(file, readBackup(database, { version: context.build.version, now: context.clock() }), force),
      );
      show(options, { file, tables }, `wrote ${file}: ${counted(tables)}`);
    });
  leaf(root, 'restore <file>', 'fill a new database with what is in a backup').action(async (path: string, options) => {
    const file = resolve(context.cwd, path);
    const filling = ({ database }: OpenedStore) => restore(database, migrations(), readFile(file));
    const tables = await withStore(filling, { alone: true });
    show(options, { file, tables: rowsIn(tables) }, `restored ${file}: ${counted(rowsIn(tables))}`);
  });
  leaf(root, 'move <url>', 'carry everything to a new database on PostgreSQL or Neon').action(
    async (url: string, options) => {
      const { proxy } = context.config();
      const target = targetOf(url, proxy);
      if (target.kind === 'memory')
        throw new UsageError('a database in memory ends with the process: name one on a server');
      const { build, clock } = context;
      const moving = ({ database }: OpenedStore) =>
        moveTo(target, database, migrations(), { version: build.version, now: clock() });
      const tables = await withStore(moving, { alone: true });
      const moved = tables
        ? `moved and verified: ${counted(rowsIn(tables))}`
        : 'everything was there already, and is the same';
      show(
        options,
        { moved: tables !== undefined, ...(tables && { tables: rowsIn(tables) }) },
        `${moved}\nSet TASKLOOM_DATABASE_URL to that address wherever Taskloom is started, and TASKLOOM_USER if it is not "local".\nWhat was moved is still here as well: tasks that are written here from now on are not there.`,
      );
    },
  );

  const user = root.command('user').description('manage users').copyInheritedSettings(root);
  leaf(user, 'add', 'add a user')
    .argument('<handle>', 'what the user is called here', checkBy(handleSchema))
    .addOption(new Option('--timezone <name>', 'such as Europe/Paris').argParser(checkBy(timezoneSchema)))
    .addOption(new Option('--name <text>', 'display name').argParser(checkBy(displayName)))
    .action(async (handle: string, options) => {
      const timezone = options.timezone ?? context.config().timezone;
      await withStore(({ database }) => addUser(database, handle, timezone, options.name));
      show(options, { handle, timezone }, `added ${handle} (${timezone})`);
    });
  leaf(user, 'edit <handle>', 'change a user’s timezone or name')
    .addOption(new Option('--timezone <name>', 'such as Europe/Paris').argParser(checkBy(timezoneSchema)))
    .addOption(new Option('--name <text>', 'display name').argParser(checkBy(displayName)))
    .action(async (handle: string, { timezone, name, ...options }) => {
      if (timezone === undefined && name === undefined) throw new UsageError('give --timezone or --name');
      await withStore(({ database }) => editUser(database, handle, { timezone, name }));
      show(options, { handle, timezone, name }, `changed ${handle}`);
    });
  leaf(user, 'list', 'list users').action(async (options) => {
    const users = await withStore(({ database }) => listUsers(database));
    const lines = users.map((each) => [
      each.handle,
      each.timezone,
      each.name ?? '-',
      each.disabled ? 'disabled' : 'active',
    ]);
    show(options, users, table(['handle', 'timezone', 'name', 'state'], lines));
  });
  for (const [verb, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const)
    leaf(
      user,
      `${verb} <handle>`,
      disabled ? 'shut a user out, from the next request on' : 'let a user in again',
    ).action(async (handle: string, options) => {
      await withStore(({ database }) => setDisabled(database, handle, disabled));
      show(options, { handle, disabled }, `${verb}d ${handle}`);
    });

  const token = root.command('token').description('manage personal access tokens').copyInheritedSettings(root);
  leaf(token, 'create', 'make a token and print it, for the only time')
    .requiredOption('--user <handle>', 'whose tasks it opens')
    .addOption(new Option('--name <text>', 'what it is for').argParser(checkBy(displayName)).default('token'))
    .addOption(
      new Option('--scope <list>', SCOPES.join(',')).argParser(checkScopes).default([...SCOPES], SCOPES.join(',')),
    )
    .addOption(new Option('--expires <duration>', 'such as 12h, 90d or 52w; never by default').argParser(checkDuration))
    .action(async (options) => {
      const expires = options.expires ? new Date(context.clock().getTime() + options.expires) : undefined;
      const { user: owner, name, scope: scopes } = options;
      const made = await withStore(({ database }) => createToken(database, { user: owner, name, scopes, expires }));
      show(options, { ...made, user: owner, name, scopes, ...(expires && { expires }) }, made.token);
    });
  leaf(token, 'list', 'list tokens, never the tokens themselves')
    .option('--user <handle>', 'of one user')
    .action(async (options) => {
      const tokens = await withStore(({ database }) => listTokens(database, options.user));
      const lines = tokens.map((each) => [
        each.id,
        each.user,
        each.name,
        each.scopes.join(','),
        each.revoked ? 'revoked' : each.expires && each.expires < context.clock().toISOString() ? 'expired' : 'active',
        each.expires ?? 'never',
        each.last_used ?? 'never',
      ]);
      show(options, tokens, table(['id', 'user', 'name', 'scopes', 'state', 'expires', 'last used'], lines));
    });
  leaf(token, 'revoke <id>', 'stop a token, from the next request on').action(async (id: string, options) => {
    await withStore(({ database }) => revokeToken(database, id));
    show(options, { id, revoked: true }, `revoked ${id}`);
  });
  return root;
}

/** How long a command waits for a data directory that is changing hands, in milliseconds. */
const PATIENCE = 10_000;

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
  for (const until = performance.now() + PATIENCE; ; await pause(50)) {
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

const checkBy =
  <T>(schema: z.ZodType<T>) =>
  (value: string): T => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new InvalidArgumentError(`It ${parsed.error.issues[0]?.message}.`);
  };

function checkPort(value: string): number {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535)
    throw new InvalidArgumentError('It must be a number up to 65535.');
  return Number(value);
}

function checkScopes(value: string): Scope[] {
  const scopes = value.split(',').map((scope) => scope.trim());
  const known = SCOPES.filter((scope) => scopes.includes(scope));
  if (known.length !== scopes.length) throw new InvalidArgumentError(`It must be a list of ${SCOPES.join(' and ')}.`);
  return known;
}

const HOUR = 3_600_000;
const UNITS: Record<string, number> = { h: HOUR, d: 24 * HOUR, w: 7 * 24 * HOUR };

/** Milliseconds of `12h`, `90d` or `52w`. */
function checkDuration(value: string): number {
  const [, count, unit] = /^([1-9]\d{0,4})([hdw])$/.exec(value) ?? [];
  const length = UNITS[unit ?? ''];
  if (!length) throw new InvalidArgumentError('It must be a number and h, d or w, such as 90d.');
  return Number(count) * length;
}

/** What people typed is printed as it is, but for what a terminal would obey. */
const printable = (text: string) => text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '?');

function table(head: string[], rows: string[][]): string {
  const cells = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
