import { expect, test } from 'vitest';
import { tools } from '../../src/tools/index.js';
import { newAgent, useWorld } from '../support/harness.js';

const world = useWorld();

type Args = Record<string, unknown>;

/** Successful calls, in an order in which each finds what it needs: some depend on the answer to the one before. */
const CALLS: [string, Args | ((before: Args) => Args)][] = [
  ['add_task', { title: 'One', project: 'Home' }],
  ['add_tasks', { tasks: [{ title: 'Two' }, { title: 'Three', parent: 1 }] }],
  ['add_comment', { id: 1, text: 'Hello' }],
  ['list_tasks', {}],
  ['get_task', { id: 1 }],
  ['get_overview', {}],
  ['list_projects', {}],
  ['what_changed', {}],
  ['update_task', { id: 1, title: 'First', due: 'tomorrow' }],
  ['update_project', { project: 'Home', name: 'House' }],
  ['claim_task', { id: 2 }],
  ['release_task', ({ claim }) => ({ id: 2, claim })],
  ['complete_task', { id: 2 }],
  ['undo', { last: 1 }],
  ['delete_task', { id: 2 }],
];

/** Counts the pipelines that are sent meanwhile: the statements of one are reported without a pause. */
async function pipelinesOf(work: () => Promise<unknown>): Promise<number> {
  const { onStatement } = world.database;
  let [count, open] = [0, false];
  world.database.onStatement = (text, params) => {
    onStatement?.(text, params);
    if (!open) {
      count++;
      queueMicrotask(() => {
        open = false;
      });
    }
    open = true;
  };
  await work().finally(() => {
    world.database.onStatement = onStatement;
  });
  return count;
}

test('a tool that reads takes one round trip to the database, and one that writes two, but for undo', async () => {
  const ana = await newAgent(world);
  const counted: Record<string, number> = {};
  let answer: Args = {};
  for (const [tool, args] of CALLS)
    counted[tool] = await pipelinesOf(async () => {
      answer = await ana.ok(tool, typeof args === 'function' ? args(answer) : args);
    });
  const expected = Object.fromEntries(tools.map(({ name, effect }) => [name, effect === 'read' ? 1 : 2]));
  // It finds the writes first, then what they changed, and then what depends on that.
  expect(counted).toEqual({ ...expected, undo: 4 });
});
