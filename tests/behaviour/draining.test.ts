import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { type Agent, agentOf, newAgent, rowsOf, useWorld } from '../harness.js';

const world = useWorld();

/** Fewer over Neon's driver, where each statement is a journey. */
const TASKS = inject('backend') === 'neon' ? 400 : 1000;
const AGENTS = 16;

/** Ten times what it takes where nothing else runs. */
const LONG = { timeout: 300_000 };

/** A plan in which every task waits for up to three of those before it, mostly of the last few. */
function randomPlan(seed: number): number[][] {
  const waits = (n: number) =>
    fc.uniqueArray(
      fc.oneof({ weight: 3, arbitrary: fc.nat(59) }, { weight: 1, arbitrary: fc.nat(TASKS) }).map((back) => n - back),
      { maxLength: 3 },
    );
  const plan = fc.tuple(...Array.from({ length: TASKS }, (_, i) => waits(i)));
  const [chosen] = fc.sample(plan, { seed, numRuns: 1 });
  return (chosen ?? []).map((blockers) => blockers.filter((id) => id > 0));
}

/** What is left to do, and who waits until more of it is ready. */
class Work {
  left = TASKS;
  private waiting: (() => void)[] = [];

  /** One was done, and so many became ready: as many are woken, and in the end everyone. */
  done(ready: number): void {
    this.left -= 1;
    for (const wake of this.waiting.splice(0, this.left === 0 ? AGENTS : ready)) wake();
  }

  more = () => new Promise<void>((resolve) => void this.waiting.push(resolve));
}

/** Works until there is nothing left, waiting where all that is left waits for others. */
async function drain(agent: Agent, name: string, work: Work): Promise<number[]> {
  const finished: number[] = [];
  while (work.left > 0) {
    const reply = await agent.call('claim_task', { agent: name });
    if (reply.isError) {
      expect(reply.json.error.code, reply.text).toBe('not_found');
      if (work.left > 0) await work.more();
      continue;
    }
    const { task, claim } = reply.json;
    const { ready = [] } = await agent.ok('complete_task', { id: task.id, claim });
    finished.push(task.id);
    work.done(ready.length);
  }
  return finished;
}

test(
  'many agents do all tasks of a plan, each once, in an order that it allows, and share the work',
  LONG,
  async () => {
    const ana = await newAgent(world);
    const plan = randomPlan(20261122);
    for (let from = 0; from < TASKS; from += 100)
      await ana.ok('add_tasks', {
        tasks: plan.slice(from, from + 100).map((blockers, i) => ({
          title: `Task ${from + i + 1}`,
          ref: `r${from + i + 1}`,
          blocked_by: blockers.map((id) => (id > from ? `r${id}` : id)),
        })),
      });

    const work = new Work();
    const agents = await Promise.all(
      Array.from({ length: AGENTS }, (_, i) => agentOf(world, ana.principal, `client ${i}`)),
    );
    const shares = await Promise.all(agents.map((agent, i) => drain(agent, `agent ${i}`, work)));

    const all = shares.flat().sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: TASKS }, (_, i) => i + 1));
    for (const share of shares) expect(share.length).toBeGreaterThan(TASKS / AGENTS / 4);
    const rows = await rowsOf(
      world,
      `select entity_id, op from taskloom.changes where user_id = $1 and op in ('claim', 'complete') order by seq`,
      [ana.principal.userId],
    );
    const place = (op: string) =>
      new Map(rows.flatMap(([id, what], i): [number, number][] => (what === op ? [[Number(id), i]] : [])));
    const [begun, done] = [place('claim'), place('complete')];
    expect(rows).toHaveLength(2 * TASKS);
    const early = plan.flatMap((blockers, i) =>
      blockers.filter((id) => (done.get(id) as number) > (begun.get(i + 1) as number)).map((id) => [i + 1, id]),
    );
    expect(early, 'tasks that were begun before what blocks them was done').toEqual([]);
  },
);
