import { Refusal, type RefusalBody } from '../errors.js';
import { cycleRefusal, depthRefusal, openParentRefusal } from './family.js';
import { noTask, type Task } from './task.js';

export interface Failure extends RefusalBody {
  id: number | string;
}

/** Combines the failures of tasks into one refusal, see `allRefused`. */
export function allFailed(failed: Failure[]): Refusal {
  return allRefused(failed.map(({ id: _, ...body }) => body));
}

/** Maximum number of reasons in one refusal. */
const REASONS = 10;

/** Combines refusals into one, with the code of the first, and each distinct message and its hint once. */
export function allRefused(bodies: RefusalBody[]): Refusal {
  const [first] = bodies as [RefusalBody];
  const byReason = new Map(bodies.toReversed().map(({ message, hint }) => [message, hint]));
  const reasons = [...new Set(bodies.map(({ message }) => message))];
  const more = reasons.length > REASONS ? [`And ${reasons.length - REASONS} more like that.`] : [];
  const told = reasons.slice(0, REASONS);
  const hint = [...new Set(told.flatMap((reason) => byReason.get(reason) ?? []))].join(' ');
  return new Refusal({ ...first, message: [...told, ...more].join(' '), ...(hint && { hint }) });
}

type Tasks = ReadonlyMap<number, Task>;

/** The new state of a task, followed by those of the tasks that change along with it. */
export type Plan = [Task, ...Task[]];

/** Plans a task's change or throws a `Refusal`. `together` are the requested tasks that are not refused so far. */
export type Planner = (task: Task, together: ReadonlySet<number>) => Plan;

/**
 * Judges tasks one by one, then parents and dependencies as all of them would leave them: a task may close only if its
 * remaining sub-tasks are closed, before or by this call.
 *
 * @param begin returns the planner of a round: if a task is refused, the others are judged again in another
 */
export function planEach(
  ids: Iterable<number>,
  tasks: Tasks,
  begin: () => Planner,
): { plans: Map<number, Plan>; failed: Failure[] } {
  const left = new Set(ids);
  const failed = new Map<number, Failure>();
  const refuse = (id: number, error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    failed.set(id, { id, ...error.body });
    left.delete(id);
  };
  for (;;) {
    const plans = new Map<number, Plan>();
    const count = left.size;
    const plan = begin();
    for (const id of [...left])
      try {
        const task = tasks.get(id);
        if (!task) throw noTask(id);
        plans.set(id, plan(task, left));
      } catch (error) {
        refuse(id, error);
      }
    const after = new Map([...tasks, ...mergePlans(plans)]);
    for (const [id, planned] of plans) {
      const refusal = planRefusal(tasks, after, planned);
      if (refusal) refuse(id, refusal);
    }
    // One refusal can cause others, so repeat until there are no new ones.
    if (left.size === count) return { plans, failed: brief([...failed.values()]) };
  }
}

/** How many failures of one call list candidates: nobody reads the lists of a hundred. */
const WITH_CANDIDATES = 3;

/** Drops the candidates of all failures but the first `WITH_CANDIDATES`. */
export const brief = (failed: Failure[]): Failure[] =>
  failed.map(({ candidates, ...failure }, i) =>
    candidates && i < WITH_CANDIDATES ? { ...failure, candidates } : failure,
  );

/** Returns why a plan is not allowed, or undefined. `after` has the tasks as all plans together leave them. */
export function planRefusal(before: Tasks, after: Tasks, plan: Task[]): Refusal | undefined {
  for (const task of plan) {
    const was = before.get(task.id);
    const moved = was?.parentId !== task.parentId;
    if (was?.status !== task.status || moved || was.deletedAt !== task.deletedAt) {
      const refusal = openParentRefusal(after, task);
      if (refusal) return refusal;
    }
    if (moved || (was?.blockedBy ?? []).join() !== task.blockedBy.join()) {
      // Without a cycle, all levels below a task can be counted.
      const refusal = cycleRefusal(after, task) ?? (moved ? depthRefusal(after, task) : undefined);
      if (refusal) return refusal;
    }
  }
  return undefined;
}

/** Merges the tasks of all plans. A task's own plan takes precedence over a change along with another task. */
export function mergePlans(plans: ReadonlyMap<number, Plan>): Map<number, Task> {
  const along = [...plans.values()].flatMap(([, ...rest]) => rest);
  const asked = [...plans.values()].map(([task]) => task);
  return new Map([...along, ...asked].map((task) => [task.id, task]));
}
