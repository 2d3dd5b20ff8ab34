// Long runs of the tests that kill processes, replicas and databases at random: `npm run chaos [rounds]`. Each test prints
// the seed that repeats its run.
import { spawnSync } from 'node:child_process';

const rounds = process.argv[2] ?? '60';
const { status } = spawnSync(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    'tests/chaos',
    'tests/database/durability',
    'tests/database/kill',
    'tests/owner/draining',
    'tests/behaviour/draining',
  ],
  {
    stdio: 'inherit',
    env: { ...process.env, TASKLOOM_CHAOS_ROUNDS: rounds },
  },
);
process.exitCode = status ?? 1;
