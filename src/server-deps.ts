import type { Logger } from 'pino';
import type { Config } from './config.js';
import { readMigrations } from './db/migrate.js';
import type { Program } from './program.js';
import type { Deps } from './tool-calls.js';
import { OutageLog } from './transports/outage.js';

/** Options with which every process opens the database. */
export const storeOptions = ({ migrations }: Program, { secret }: Config) => ({
  migrations: readMigrations(migrations),
  secret,
});

/** What a server needs besides the database and its feed. */
export const depsOf = (
  { build, clock }: Program,
  { historyDays }: Config,
  log: Logger,
): Omit<Deps, 'store' | 'feed'> => ({ clock, log, outages: new OutageLog(log), version: build.version, historyDays });
