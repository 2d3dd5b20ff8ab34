import { defineConfig } from 'vitest/config';

/** The behaviour suite, which must pass on every backend. */
const everywhere = ['tests/tools/*.test.ts', 'tests/behaviour/*.test.ts'];

/** Tests that only read: results may differ between server versions, but not between drivers. */
const reading = ['tests/prompts/*.test.ts', 'tests/resources/*.test.ts', 'tests/completions.test.ts'];

/** Tests that need a server: replicas that start at once, logins, lost connections. */
const migrations = 'tests/database/migrate.test.ts';
const connections = ['tests/database/traps.test.ts', 'tests/database/outage.test.ts'];

/** Query plans of a server. */
const plans = 'tests/database/plans.test.ts';
const kills = 'tests/database/kill.test.ts';
const replicas = 'tests/chaos/replicas.test.ts';

/** Copies between any two backends. */
const copies = 'tests/database/backup.test.ts';
const moves = 'tests/cli/move.test.ts';

/** Tests that may differ between two drivers for the same server: sending, waiting, failing, listening. */
const driver = [
  'tests/tools/{add-task,complete-task}.test.ts',
  'tests/behaviour/{claims,database,subscriptions}.test.ts',
  ...connections,
];

/** Tests that may differ between a server and the embedded database, which is the same release. */
const server = ['tests/behaviour/{database,draining,schema,subscriptions,upgrade}.test.ts', ...connections];

/** Tests of concurrency, which do not depend on the release of the server. */
const concurrent = ['tests/behaviour/{draining,subscriptions}.test.ts'];

/** Long runs of the chaos tests use both drivers. */
const long = process.env.TASKLOOM_CHAOS_ROUNDS !== undefined;

const project = (name: string, include: string[], exclude: string[] = []) => ({
  extends: true as const,
  test: { name, include, exclude, globalSetup: [`tests/setup/${name}.ts`] },
});

export default defineConfig({
  test: {
    projects: [
      project('pglite', ['tests/**/*.test.ts'], [migrations, kills, moves, plans, replicas, ...connections]),
      project('postgres-15', [...everywhere, ...reading, migrations, kills, copies, moves, plans], concurrent),
      project('postgres-18', [...server, replicas]),
      project('neon', [
        ...driver,
        ...(long ? ['tests/behaviour/draining.test.ts', replicas, kills, copies, moves] : []),
      ]),
    ],
    pool: 'forks',
    isolate: false, // each file has a database of its own, and loading the modules again would take most of the time
    setupFiles: ['tests/setup/clean-up.ts'],
    maxWorkers: 3, // on two cores: tests mostly wait for processes
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000 } },
  },
});
