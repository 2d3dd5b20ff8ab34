import { defineConfig } from 'vitest/config';

/** The behaviour suite: what must hold on every backend. */
const everywhere = ['tests/tools/*.test.ts', 'tests/behaviour/*.test.ts'];

/** What only reads, and so differs between servers but not between drivers. */
const reading = ['tests/prompts/*.test.ts', 'tests/resources/*.test.ts', 'tests/completions.test.ts'];

/** What only a server can show: replicas that start at once, logins, connections that die. */
const migrations = 'tests/database/migrate.test.ts';
const connections = ['tests/database/traps.test.ts', 'tests/database/outage.test.ts'];

/** How a server finds rows. */
const plans = 'tests/database/plans.test.ts';
const kills = 'tests/database/kill.test.ts';
const replicas = 'tests/chaos/replicas.test.ts';

/** Between any two backends. */
const copies = 'tests/database/backup.test.ts';
const moves = 'tests/cli/move.test.ts';

/** What may differ between two drivers of one server: how they send, wait, fail and listen. */
const driver = [
  'tests/tools/{add-task,complete-task}.test.ts',
  'tests/behaviour/{claims,database,subscriptions}.test.ts',
  ...connections,
];

/** What may differ between a server and the embedded database, which is of the same release. */
const server = ['tests/behaviour/{database,draining,schema,subscriptions,upgrade}.test.ts', ...connections];

/** What is about many at once rather than about the release of a server. */
const crowds = ['tests/behaviour/{draining,subscriptions}.test.ts'];

/** Storms are raised over both drivers when they are to take long. */
const long = process.env.TASKLOOM_CHAOS_ROUNDS !== undefined;

const project = (name: string, include: string[], exclude: string[] = []) => ({
  extends: true as const,
  test: { name, include, exclude, globalSetup: [`tests/setup/${name}.ts`] },
});

export default defineConfig({
  test: {
    projects: [
      project('pglite', ['tests/**/*.test.ts'], [migrations, kills, moves, plans, replicas, ...connections]),
      project('postgres-15', [...everywhere, ...reading, migrations, kills, copies, moves, plans], crowds),
      project('postgres-18', [...server, replicas]),
      project('neon', [
        ...driver,
        ...(long ? ['tests/behaviour/draining.test.ts', replicas, kills, copies, moves] : []),
      ]),
    ],
    pool: 'forks',
    isolate: false, // each file has a database of its own, and compiling the code anew would take most of the time
    setupFiles: ['tests/setup/clean-up.ts'],
    maxWorkers: 3, // on two cores: much of the time is spent waiting for processes
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000 } },
  },
});
