import fc from 'fast-check';
import { test } from 'vitest';
import { useWorld } from '../harness.js';
import { actions, BEGINNING, undos, writes } from './actions.js';
import { checkInvariants } from './replay.js';
import { Run } from './run.js';

const world = useWorld();

const RUNS = Number(process.env.TASKLOOM_MODEL_RUNS ?? 8);
const SEED = Number(process.env.TASKLOOM_MODEL_SEED ?? 20261122);

test('the store does what its rules say, whatever two clients call in turn', { timeout: 3_600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(actions([...writes, undos], { minLength: 20, maxLength: 40 }), async (calls) => {
      const run = await Run.start(world);
      try {
        await run.call(0, 'add_tasks', { tasks: BEGINNING });
        for (const [i, action] of calls.entries()) {
          await run.step(action);
          if (i % 10 === 9) await run.checkReads();
        }
        await run.checkReads();
        checkInvariants(await run.tables());
      } catch (error) {
        if (error instanceof Error) error.message = `${error.message}\n${run.said.slice(-60).join('\n')}`;
        throw error;
      }
    }),
    {
      numRuns: RUNS,
      endOnFailure: process.env.TASKLOOM_MODEL_RAW === '1',
      seed: SEED,
      interruptAfterTimeLimit: 3_000_000,
      ...(process.env.TASKLOOM_MODEL_PATH && { path: process.env.TASKLOOM_MODEL_PATH }),
    },
  );
});
