import { isAbsolute, resolve } from 'node:path';
import type { Command } from 'commander';
import { notEmpty, port, targetOf } from '../config.js';
import { readBackup } from '../db/backup.js';
import { connect, type OpenedStore } from '../db/connect.js';
import { findDirectory } from '../db/lock.js';
import { migrate, migrationScript, readMigrations } from '../db/migrate.js';
import { restore } from '../db/restore.js';
import { UsageError } from '../errors.js';
import { checkReplaceable, formatCounts, moveTo, readFile, writeBackup } from './backup.js';
import type { Shell } from './commands.js';
import { parserFor } from './options.js';
import { serve } from './serve.js';

/** @throws UsageError if the path is relative to a working directory that was deleted */
function absolute(path: string, cwd: string | undefined): string {
  if (isAbsolute(path)) return path;
  if (cwd === undefined)
    throw new UsageError(
      'the working directory was deleted: change to another one, or name the file by an absolute path',
    );
  return resolve(cwd, path);
}

/** Commands for the database as a whole: `taskloom serve`, `migrate`, `owner`, `backup`, `restore`, `move`. */
export function databaseCommands(root: Command, shell: Shell): void {
  for (const add of [addServe, addMigrate, addOwner, addBackup, addRestore, addMove]) add(root, shell);
}

function addServe(root: Command, { context, leaf }: Shell): void {
  leaf(root, 'serve', 'serve many users over Streamable HTTP')
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on', parserFor(port))
    .option('--migrate', 'bring the database’s schema up to date first')
    .action((options) => serve(context, options));
}

function addMigrate(root: Command, { context, leaf, show, withStore }: Shell): void {
  leaf(root, 'migrate', 'bring the database’s schema up to date')
    .option('--print-sql', 'print what would be run, and run nothing')
    .action(async (options) => {
      const report = (applied: string[]) =>
        show(options, { applied }, applied.length > 0 ? `applied ${applied.join(', ')}` : 'already up to date');
      const migrations = readMigrations(context.migrations);
      const { target } = context.config();
      if (target.kind === 'directory' || target.kind === 'memory') {
        if (options.printSql) return context.print(await migrationScript(migrations));
        return report(await withStore(async ({ applied }) => applied)); // opening these migrates them
      }
      const database = await connect(target);
      try {
        if (options.printSql) return context.print(await migrationScript(migrations, database));
        report(await migrate(database, migrations));
      } finally {
        await database.close();
      }
    });
}

function addOwner(root: Command, { context, leaf, show }: Shell): void {
  leaf(root, 'owner', 'show where the embedded database is, and the process that has it')
    .option('--stop', 'stop that process once its pending requests are answered')
    .action(async (options) => {
      const { target, usesDatabaseUrl } = context.config();
      if (target.kind !== 'directory')
        throw new UsageError(
          `only an embedded database has an owner, and ${usesDatabaseUrl ? 'DATABASE_URL' : 'TASKLOOM_DATABASE_URL'} names another database`,
        );
      const { askToRetire, statusOf } = await import('../owner/reach.js');
      const home = findDirectory(target.path, target.fallback);
      if (!home) return show(options, { home: target.path }, `${target.path}: there is nothing yet`);
      const status = await statusOf(home);
      if (!status) return show(options, { home }, `${home}: no process has it open`);
      const { pid, version, connections, idle } = status;
      if (options.stop && !(await askToRetire(home, context.build)))
        throw new UsageError(`process ${pid} serves over HTTP and stays: end that process itself`);
      const line = `process ${pid} (${version}), ${connections} connected, last request ${idle} s ago`;
      show(
        options,
        { home, pid, version, connections, idle, stopped: Boolean(options.stop) },
        `${home}: ${options.stop ? 'stopped ' : ''}${line}`,
      );
    });
}

function addBackup(root: Command, { context, leaf, show, withStore }: Shell): void {
  leaf(root, 'backup', 'back up everything to a file: accounts, tokens, tasks and their history')
    .argument('<file>', 'the file to write', parserFor(notEmpty))
    .option('--force', 'replace an existing file')
    .action(async (path: string, { force = false, ...options }) => {
      const file = absolute(path, context.cwd);
      checkReplaceable(file, force);
      const tables = await withStore(({ database }) =>
        writeBackup(file, readBackup(database, { version: context.build.version, now: context.clock() }), force),
      );
      show(options, { file, tables }, `wrote ${file}: ${formatCounts(tables)}`);
    });
}

function addRestore(root: Command, { context, leaf, show, withStore }: Shell): void {
  leaf(root, 'restore', 'restore a backup into a new database')
    .argument('<file>', 'the backup', parserFor(notEmpty))
    .action(async (path: string, options) => {
      const file = absolute(path, context.cwd);
      const work = ({ database }: OpenedStore) => restore(database, readMigrations(context.migrations), readFile(file));
      const tables = await withStore(work, { alone: true });
      show(options, { file, tables }, `restored ${file}: ${formatCounts(tables)}`);
    });
}

function addMove(root: Command, { context, leaf, show, withStore }: Shell): void {
  leaf(root, 'move', 'copy everything to a new database on PostgreSQL or Neon')
    .argument('<url>', 'the address of the new database, or - to read it from standard input', parserFor(notEmpty))
    .action(async (given: string, options) => {
      const url = given === '-' ? (await context.readInput()).trim() : given;
      const target = targetOf(url, context.config().proxy, 'the argument of move');
      if (target.kind === 'memory')
        throw new UsageError('a database in memory exists only while the process runs: name one on a server');
      const about = { version: context.build.version, now: context.clock() };
      const moving = ({ database }: OpenedStore) => moveTo(target, database, readMigrations(context.migrations), about);
      const tables = await withStore(moving, { alone: true });
      const moved = tables
        ? `moved and verified: ${formatCounts(tables)}`
        : 'nothing to move: the target already has the same contents';
      show(
        options,
        { moved: tables !== undefined, ...(tables && { tables }) },
        `${moved}\nSet TASKLOOM_DATABASE_URL to that address wherever Taskloom is started, and TASKLOOM_USER if it is not "local".\nThe old database still has its copy. Later changes to it are not carried over.`,
      );
    });
}
