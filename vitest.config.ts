import { defineConfig } from 'vitest/config';

/** The behaviour suite: what must hold on every backend. */
const everywhere = ['tests/tools/*.test.ts', 'tests/behaviour/*.test.ts'];

/** What only reads, and so differs between servers but not between drivers. */
const reading = ['tests/prompts/*.test.ts', 'tests/resources/*.test.ts', 'tests/completions.test.ts'];

/** What only a server can show: replicas that start at once, logins, connections that die. */
const migrations = 'tests/database/migrate.test.ts';
const connections = ['tests/database/traps.test.ts', 'tests/database/outage.test.ts', 'tests/chaos/replicas.test.ts'];
const kills = 'tests/database/kill.test.ts';

/** Between any two backends. */
const copies = 'tests/database/backup.test.ts';
const moves = 'tests/cli/move.test.ts';

const project = (name: string, include: string[], exclude: string[] = []) => ({
  extends: true as const,
  test: { name, include, exclude, globalSetup: [`tests/setup/${name}.ts`] },
});

export default defineConfig({
  test: {
    projects: [
      project('pglite', ['tests/**/*.test.ts'], [migrations, kills, moves, ...connections]),
      project('postgres-15', [...everywhere, ...reading, migrations, kills, copies, moves]),
      project('postgres-18', [...everywhere, migrations, ...connections]),
      project('neon', [...everywhere, kills, copies, moves, ...connections]),
    ],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
