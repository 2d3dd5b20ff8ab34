import { defineConfig } from 'vitest/config';

/** The behaviour suite: what must hold on every backend. */
const everywhere = ['tests/tools/*.test.ts', 'tests/behaviour/*.test.ts'];

const project = (name: string, include: string[]) => ({
  extends: true as const,
  test: { name, include, globalSetup: [`tests/setup/${name}.ts`] },
});

export default defineConfig({
  test: {
    projects: [
      project('pglite', ['tests/**/*.test.ts']),
      project('postgres-15', everywhere),
      project('postgres-18', everywhere),
      project('neon', everywhere),
    ],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
