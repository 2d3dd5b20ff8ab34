import fc from 'fast-check';
import { expect } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { queryAsTableOwner } from '../../src/db/service.js';

// biome-ignore lint/suspicious/noExplicitAny: answers are checked by what is expected of them
type Answer = any;

/** Calls a tool, and returns its JSON, also for a refusal. */
export type Call = (tool: string, args: object) => Promise<Answer>;

export const AGENTS = 16;

/** Number of tasks in a plan: more in long runs. */
export const PLAN = process.env.TASKLOOM_CHAOS_ROUNDS ? 1000 : 120;

/** Returns a random plan, in which each task is blocked by up to three earlier ones, mostly recent. */
function randomPlan(tasks: number, seed: number): number[][] {
  const waits = (n: number) =>
    fc.uniqueArray(
      fc.oneof({ weight: 3, arbitrary: fc.nat(59) }, { weight: 1, arbitrary: fc.nat(tasks) }).map((back) => n - back),
      { maxLength: 3 },
    );
  const plan = fc.tuple(...Array.from({ length: tasks }, (_, i) => waits(i)));
  const [chosen] = fc.sample(plan, { seed, numRuns: 1 });
  return (chosen ?? []).map((blockers) => blockers.filter((id) => id > 0));
}

/** The number of tasks left, and the agents that wait for a ready one. */
class Work {
  private waiting: (() => void)[] = [];
  constructor(public left: number) {}

  /** Called when a task is done and `ready` others became ready: wakes as many agents, or all if no task is left. */
  done(ready: number): void {
    this.left -= 1;
    for (const wake of this.waiting.splice(0, this.left === 0 ? AGENTS : ready)) wake();
  }

  more = () => new Promise<void>((resolve) => void this.waiting.push(resolve));
}

/** Claims and completes tasks until none is left, and waits while none is ready. Returns the ids of its tasks. */
async function drain(call: Call, name: string, work: Work): Promise<number[]> {
  const finished: number[] = [];
  while (work.left > 0) {
    const answer = await call('claim_task', { agent: name });
    if (answer.error) {
      expect(answer.error.code, JSON.stringify(answer)).toBe('not_found');
      if (work.left > 0) await work.more();
      continue;
    }
    const { task, claim } = answer;
    const done = await call('complete_task', { id: task.id, claim });
    expect(done.error, JSON.stringify(done)).toBeUndefined();
    finished.push(task.id);
    work.done(done.ready?.length ?? 0);
  }
  return finished;
}

/**
 * Has agents of one user claim and complete all tasks of a random plan. Checks that each task was done once, in an order
 * that the plan allows, and that every agent did a share.
 *
 * @param agents one way to call tools for each agent
 */
export async function drainPlan(
  tasks: number,
  agents: Call[],
  { database, handle }: { database(): Promise<Database>; handle: string },
): Promise<void> {
  const plan = randomPlan(tasks, 20261122);
  for (let from = 0; from < tasks; from += 100) {
    const part = plan.slice(from, from + 100).map((blockers, i) => ({
      title: `Task ${from + i + 1}`,
      ref: `r${from + i + 1}`,
      blocked_by: blockers.map((id) => (id > from ? `r${id}` : id)),
    }));
    const added = await agents[0]?.('add_tasks', { tasks: part });
    expect(added.error, JSON.stringify(added)).toBeUndefined();
  }
  const work = new Work(tasks);
  const shares = await Promise.all(agents.map((call, i) => drain(call, `agent ${i}`, work)));

  expect(shares.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: tasks }, (_, i) => i + 1));
  for (const share of shares) expect(share.length).toBeGreaterThanOrEqual(Math.floor(tasks / 50));
  const rows = await queryAsTableOwner(
    await database(),
    `select entity_id, op from taskloom.changes where op in ('claim', 'complete')
     and user_id = (select id from taskloom.users where handle = $1) order by seq`,
    [handle],
  );
  const positions = (op: string) =>
    new Map(rows.flatMap(([id, what], i): [number, number][] => (what === op ? [[Number(id), i]] : [])));
  const [begun, done] = [positions('claim'), positions('complete')];
  expect(rows).toHaveLength(2 * tasks);
  const early = plan.flatMap((blockers, i) =>
    blockers.filter((id) => (done.get(id) as number) > (begun.get(i + 1) as number)).map((id) => [i + 1, id]),
  );
  expect(early, 'tasks that were begun before their blockers were done').toEqual([]);
}
