import type { Logger } from 'pino';
import type { Config } from './config.js';
import { setupRefusal, UsageError, unavailable } from './errors.js';
import { framesOf } from './log.js';
import { once } from './once.js';
import { OWNER_COMMAND, type Program } from './program.js';
import type { RelayOptions } from './transports/relay.js';

/** Returns how a stdio server reaches the data. Nothing is opened and no code for it is loaded before first use. */
export function linkTo(program: Program, config: Config, log: Logger): RelayOptions & { close(): Promise<void> } {
  const { target, remote } = config;
  const account = {
    user: config.user,
    get timezone() {
      return config.timezone;
    },
  };
  let close = async () => {};
  const options = {
    refusal: (error: unknown) => {
      if (error instanceof UsageError) {
        log.error({ where: error.where }, error.message);
        return setupRefusal(error);
      }
      const { code } = error as NodeJS.ErrnoException;
      log.error({ code, at: framesOf(error) }, 'no way to the data');
      // Code is loaded on demand from hashed file names, which an update replaces.
      if (code === 'ERR_MODULE_NOT_FOUND')
        return unavailable('Taskloom was updated while it ran.', 'Restart this server, or the client that started it.');
      return unavailable('The tasks cannot be reached.', 'Try again in a moment.');
    },
    close: () => close(),
  };
  if (remote) return { ...options, open: async () => (await import('./transports/remote.js')).remoteLink(remote, log) };
  if (target.kind === 'directory')
    return {
      ...options,
      async open() {
        const { reachOwner, startOwner } = await import('./owner/reach.js');
        return reachOwner({
          ...target,
          build: program.build,
          account,
          start: async (home) =>
            program.canSpawn ? startOwner(home, [...program.start, OWNER_COMMAND], program.environment) : undefined,
          async ownHere(home) {
            const { becomeOwner } = await import('./owner/background.js');
            const owner = await becomeOwner(program, config, log, home);
            close = owner.stop;
            return { transport: owner.connect(account) };
          },
        });
      },
    };
  const local = once(async () => (await import('./in-process.js')).serveLocally(program, config, target, log));
  close = async () => (await local.started()?.catch(() => undefined))?.close();
  return {
    ...options,
    open: async () => (await local.get()).open(),
  };
}
