import { Refusal, type RefusalBody } from '../errors.js';
import { circleRefusal, orphansRefusal } from './family.js';
import { noTask, type Task } from './task.js';

export interface Failure extends RefusalBody {
  id: number | string;
}

/** One refusal for one task; for several, the first one's code, and every reason. */
export function allFailed(failed: Failure[]): Refusal {
  return allRefused(failed.map(({ id: _, ...body }) => body));
}

/** How many reasons a refusal says. */
const REASONS = 10;

/** One refusal instead of several: the first one's code, and the reasons, each once. */
export function allRefused(bodies: RefusalBody[]): Refusal {
  const [first] = bodies as [RefusalBody];
  const reasons = [...new Set(bodies.map(({ message }) => message))];
  const more = reasons.length > REASONS ? [`And ${reasons.length - REASONS} more like that.`] : [];
  return new Refusal({ ...first, message: [...reasons.slice(0, REASONS), ...more].join(' ') });
}

type Tasks = ReadonlyMap<number, Task>;

/** What is to become of a task and, after it, of those that go along with it. */
export type Plan = Task[];

/** Plans for a task; `together` are those that were asked for and not refused so far, for one may depend on another. */
export type Judge = (task: Task, together: ReadonlySet<number>) => Plan;

/**
 * Judges tasks one by one, then the families and dependencies as they would be left: a task may close only if
 * the sub-tasks that stay are closed, whether before or in this same call.
 *
 * @param begin called for each round of judging, for when one is refused the others are judged anew
 */
export function judgeEach(
  ids: Iterable<number>,
  tasks: Tasks,
  begin: () => Judge,
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
    const judge = begin();
    for (const id of [...left])
      try {
        const task = tasks.get(id);
        if (!task) throw noTask(id);
        plans.set(id, judge(task, left));
      } catch (error) {
        refuse(id, error);
      }
    const after = new Map([...tasks, ...planned(plans)]);
    for (const [id, plan] of plans) {
      const refusal = planRefusal(tasks, after, plan);
      if (refusal) refuse(id, refusal);
    }
    // One that is refused can make another be refused, so until no more are.
    if (left.size === count) return { plans, failed: brief([...failed.values()]) };
  }
}

/** How many failures of one call name candidates: of a hundred, nobody reads them all. */
const WITH_CANDIDATES = 3;

const brief = (failed: Failure[]): Failure[] =>
  failed.map(({ candidates, ...failure }, i) =>
    candidates && i < WITH_CANDIDATES ? { ...failure, candidates } : failure,
  );

/** Why a plan may not be, given what all plans together would leave behind. */
export function planRefusal(before: Tasks, after: Tasks, plan: Plan): Refusal | undefined {
  for (const task of plan) {
    const was = before.get(task.id);
    const moved = was?.parentId !== task.parentId;
    if (was?.status !== task.status || moved || was.deletedAt !== task.deletedAt) {
      const refusal = orphansRefusal(after, task);
      if (refusal) return refusal;
    }
    if (moved || (was?.blockedBy ?? []).join() !== task.blockedBy.join()) {
      const refusal = circleRefusal(after, task);
      if (refusal) return refusal;
    }
  }
  return undefined;
}

/** The tasks of all plans. What one was asked to become outweighs what happens to it along with another. */
export function planned(plans: ReadonlyMap<number, Plan>): Map<number, Task> {
  const along = [...plans.values()].flatMap(([, ...rest]) => rest);
  const asked = [...plans.values()].flatMap(([task]) => task ?? []);
  return new Map([...along, ...asked].map((task) => [task.id, task]));
}
