import fc from 'fast-check';
import { expect, test } from 'vitest';
import { agentOf, newUser, rowsOf, useWorld } from '../support/harness.js';
import { type Action, actions, FOREIGN, INITIAL_TASKS, undos, writes } from './actions.js';
import { checkInvariants } from './replay.js';
import { Run } from './run.js';
import { readTables, type Tables } from './tables.js';

const world = useWorld();

/** For long runs, set TASKLOOM_MODEL_RUNS=500 and a seed. A failure prints the seed and path that repeat it; SHRINK=1 minimizes it. */
const { env } = process;
const { TASKLOOM_MODEL_RUNS: runs, TASKLOOM_MODEL_SEED: seed } = env;
const { TASKLOOM_MODEL_PATH: path, TASKLOOM_MODEL_SHRINK: shrink } = env;

/** Checks a property of random sequences of calls, each by a new user with a few tasks. */
async function check(
  [times, length]: [times: number, length: number],
  calls: typeof writes,
  property: (run: Run, calls: Action[]) => Promise<void>,
): Promise<void> {
  const many = runs === undefined ? times : Number(runs);
  await fc.assert(
    fc.asyncProperty(actions(calls, { minLength: length / 2, maxLength: length }), async (chosen) => {
      const run = await Run.start(world);
      try {
        await run.call(0, 'add_tasks', { tasks: INITIAL_TASKS });
        await property(run, chosen);
        checkInvariants(await run.tables());
      } catch (error) {
        if (error instanceof Error) error.message += `\n${run.transcript.slice(-80).join('\n')}`;
        throw error;
      }
    }),
    {
      numRuns: many,
      seed: Number(seed ?? 20261122),
      // Minimizing a failure takes many more runs, so it must be requested.
      endOnFailure: shrink === undefined,
      ...(path && { path }),
    },
  );
}

const LONG = { timeout: 7_200_000 };

test('whatever two clients call in turn, the store does what its rules say', LONG, async () => {
  const bob = await newUser(world);
  await rowsOf(world, 'update taskloom.counters set next_task = $2 where user_id = $1', [bob.userId, FOREIGN]);
  const agent = await agentOf(world, bob, 'ana');
  await agent.ok('add_task', { title: 'Buy milk', project: 'Home', labels: ['errand'] });
  await agent.ok('add_task', { title: 'Call Bob', parent: FOREIGN });
  await agent.ok('add_comment', { id: FOREIGN, text: 'short' });
  const before = await readTables(world, bob.userId);
  await check([16, 40], [...writes, undos], async (run, calls) => {
    for (const [i, action] of calls.entries()) {
      await run.step(action);
      if (i % 15 === 14) await run.checkReads();
    }
    await run.checkReads();
  });
  expect(await readTables(world, bob.userId), 'what another user has').toEqual(before);
});

/** Returns tasks and projects without times of changes, versions and claims, and without things deleted since `of`. */
function contents({ tasks, projects }: Tables, of: Tables): unknown {
  const old = [...tasks.values()].filter((task) => of.tasks.has(task.id) || task.deleted_at === null);
  // Keeps projects that only have tasks in the trash, since those can be restored.
  const used = new Set(old.map((task) => task.project));
  const kept = [...projects.values()].filter(({ id }) => of.projects.has(id) || used.has(id));
  return [
    old.map(({ version, updated_at, updated_by, claimed_by, claimed_until, claim, note, ...task }) => task),
    kept.map(({ version, ...project }) => project),
  ];
}

test('what is undone write by write is as it was, and undone again it is as it had become', LONG, async () => {
  await check([8, 24], writes, async (run, chosen) => {
    // Claims cannot be undone, and prevent others from deleting a task.
    const calls = chosen.filter(({ tool }) => tool !== 'claim_task');
    const half = calls.length >> 1;
    for (const action of calls.slice(0, half)) await run.step(action);
    const before = await run.tables();
    const written: (0 | 1)[] = [];
    for (const action of calls.slice(half)) if (await run.step(action)) written.push(action.who);
    const after = await run.tables();
    const undone: [who: 0 | 1, undo: string][] = [];
    for (const who of written.reverse()) undone.push([who, (await run.call(who, 'undo', { last: 1 })) ?? 'none']);
    expect(contents(await run.tables(), before), 'undone').toEqual(contents(before, before));
    for (const [who, undo] of undone.reverse()) await run.call(who, 'undo', { undo });
    expect(contents(await run.tables(), after), 'done again').toEqual(contents(after, after));
    expect(run.transcript.filter((call) => call.includes('undo {') && call.includes('Failed:'))).toEqual([]);
  });
});

test('whatever two clients call at once, nothing is left wrong', LONG, async () => {
  await check([6, 48], [...writes, undos], async (run, calls) => {
    for (let i = 0; i < calls.length; i += 8) await run.together(calls.slice(i, i + 8));
  });
});
