import { type Command, Option } from 'commander';
import { SCOPES } from '../auth/scopes.js';
import { displayName, handle as handleSchema, timezone as timezoneSchema } from '../config.js';
import { UsageError } from '../errors.js';
import {
  addUser,
  createToken,
  editUser,
  listTokens,
  listUsers,
  revokeToken,
  setDisabled,
  type TokenDescription,
} from './accounts.js';
import type { Shell } from './commands.js';
import { parseDuration, parserFor, parseScopes } from './options.js';
import { table } from './print.js';

/** `taskloom user …` and `taskloom token …`. */
export function accountCommands(root: Command, { context, leaf, show, withStore }: Shell): void {
  const user = root.command('user').description('manage users').copyInheritedSettings(root);
  leaf(user, 'add', 'add a user')
    .argument('<handle>', 'the user’s handle', parserFor(handleSchema))
    .addOption(new Option('--timezone <name>', 'such as Europe/Paris').argParser(parserFor(timezoneSchema)))
    .addOption(new Option('--name <text>', 'display name').argParser(parserFor(displayName)))
    .action(async (handle: string, options) => {
      const timezone = options.timezone ?? context.config().timezone;
      await withStore(({ database }) => addUser(database, handle, timezone, options.name));
      show(options, { handle, timezone }, `added ${handle} (${timezone})`);
    });
  leaf(user, 'edit <handle>', 'change a user’s timezone or name')
    .addOption(new Option('--timezone <name>', 'such as Europe/Paris').argParser(parserFor(timezoneSchema)))
    .addOption(new Option('--name <text>', 'display name').argParser(parserFor(displayName)))
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
      disabled ? 'disable a user, from the next request on' : 'enable a user again',
    ).action(async (handle: string, options) => {
      await withStore(({ database }) => setDisabled(database, handle, disabled));
      show(options, { handle, disabled }, `${verb}d ${handle}`);
    });

  const token = root.command('token').description('manage personal access tokens').copyInheritedSettings(root);
  leaf(token, 'create', 'create a token and print it; it cannot be shown again')
    .requiredOption('--user <handle>', 'the user the token belongs to')
    .addOption(new Option('--name <text>', 'what it is for').argParser(parserFor(displayName)).default('token'))
    .addOption(
      new Option('--scope <list>', SCOPES.join(',')).argParser(parseScopes).default([...SCOPES], SCOPES.join(',')),
    )
    .addOption(new Option('--expires <duration>', 'such as 12h, 90d or 52w; never by default').argParser(parseDuration))
    .action(async (options) => {
      const expires = options.expires ? new Date(context.clock().getTime() + options.expires) : undefined;
      const { user: owner, name, scope: scopes } = options;
      const made = await withStore(({ database }) => createToken(database, { user: owner, name, scopes, expires }));
      show(options, { ...made, user: owner, name, scopes, ...(expires && { expires }) }, made.token);
    });
  leaf(token, 'list', 'list tokens, without their secrets')
    .option('--user <handle>', 'of one user')
    .action(async (options) => {
      const tokens = await withStore(({ database }) => listTokens(database, options.user));
      const lines = tokens.map((each) => [
        each.id,
        each.user,
        each.name,
        each.scopes.join(','),
        stateOf(each, context.clock()),
        each.expires ?? 'never',
        each.last_used ?? 'never',
      ]);
      show(options, tokens, table(['id', 'user', 'name', 'scopes', 'state', 'expires', 'last used'], lines));
    });
  leaf(token, 'revoke <id>', 'revoke a token, from the next request on').action(async (id: string, options) => {
    await withStore(({ database }) => revokeToken(database, id));
    show(options, { id, revoked: true }, `revoked ${id}`);
  });
}

function stateOf({ revoked, expires, user_disabled }: TokenDescription, now: Date): string {
  if (revoked) return 'revoked';
  if (expires && expires < now.toISOString()) return 'expired';
  return user_disabled ? 'user disabled' : 'active';
}
