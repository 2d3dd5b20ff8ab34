import { Command, CommanderError } from 'commander';
import type { OpenedStore } from '../db/connect.js';
import { isUnreachable, SQLSTATE, setupMistake, sqlState } from '../db/database-errors.js';
import { causes, UsageError } from '../errors.js';
import { accountCommands } from './account-commands.js';
import { databaseCommands } from './database-commands.js';
import { printable } from './print.js';
import { type Context, RunElsewhere, withStore } from './with-store.js';

/** What all commands use. */
export interface Shell {
  context: Context;
  /** Adds a subcommand. Each takes --json and prints one result. */
  leaf(parent: Command, usage: string, description: string): Command;
  /** Prints the result. */
  show(options: { json?: boolean }, json: unknown, text: string): void;
  withStore<T>(work: (store: OpenedStore) => Promise<T>, options?: { alone?: boolean }): Promise<T>;
}

/**
 * Runs a command line. Throws unexpected errors.
 *
 * @returns the exit code: 0, or 2 after printing one line about an error that the user can fix
 */
export async function runCommand(argv: string[], context: Context): Promise<number> {
  try {
    const root = commandLine(argv, context);
    await root.parseAsync(withHelpOption(argv, root), { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof RunElsewhere) return error.code;
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const line = complaint(error, context);
    if (line === undefined) throw error;
    context.complain(printable(line));
    return 2;
  }
}

/** Replaces `help user add` by `user add --help`: commander's help command takes one name and ignores unknown ones. */
function withHelpOption(argv: string[], root: Command): string[] {
  const [first, ...names] = argv;
  if (first !== 'help') return argv;
  let command = root;
  for (const name of names)
    command =
      command.commands.find((each) => each.name() === name) ?? command.error(`error: unknown command '${name}'`);
  return [...names, '--help'];
}

/** Returns one line about an error that the user can fix; undefined for a bug. */
function complaint(error: unknown, context: Context): string | undefined {
  if (error instanceof UsageError) return error.toLine();
  const mistake = setupMistake(error);
  const isFromDatabase = mistake !== undefined || sqlState(error) !== undefined || isUnreachable(error);
  const database = isFromDatabase && context.config().usesDatabaseUrl ? 'the database of DATABASE_URL' : 'the database';
  if (mistake) return `taskloom: ${database} cannot be used: ${mistake}`;
  if (sqlState(error) === SQLSTATE.insufficientPrivilege)
    return `taskloom: the login to ${database} lacks a privilege that this command needs (SQLSTATE 42501)`;
  if (sqlState(error) === SQLSTATE.tooManyConnections)
    return `taskloom: ${database} has no connection left: end processes that use it, or raise its max_connections`;
  if (sqlState(error) === SQLSTATE.readOnlySqlTransaction)
    return `taskloom: ${database} can only be read: use the address of the primary server, if this is a standby`;
  if (isUnreachable(error)) return `taskloom: ${database} cannot be reached; check its address and that it runs`;
  const [cause] = causes(error).filter((each) => sqlState(each) !== undefined);
  return cause && `taskloom: ${database} failed (SQLSTATE ${sqlState(cause)}): ${cause.message}`;
}

function commandLine(argv: string[], context: Context): Command {
  const { print } = context;
  const root = new Command('taskloom')
    .description('The task server for AI agents. Without a command: serve one client over stdio.')
    .version(context.build.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => print(text.trimEnd()),
      // Every error of commander begins with "error: ".
      writeErr: (text) => context.complain(printable(`taskloom: ${text.slice(7).trim().replaceAll('\n', ' ')}`)),
    })
    // For a bare `taskloom user`, commander would print its whole help as an error. Replace it by one line.
    .addHelpText('beforeAll', ({ error, command }) => {
      const names = command.commands.map((each) => each.name()).join(', ');
      if (error) throw new UsageError(`${command.name()} needs a command: ${names}`);
      return '';
    });

  const shell: Shell = {
    context,
    leaf: (parent, usage, description) =>
      parent.command(usage).description(description).option('--json', 'print JSON').copyInheritedSettings(root),
    show: (options, json, text) => print(options.json ? JSON.stringify(json) : text),
    withStore: (work, options) => withStore(argv, context, work, options),
  };
  databaseCommands(root, shell);
  accountCommands(root, shell);
  return root;
}
