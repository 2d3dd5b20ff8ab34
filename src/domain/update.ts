import type { UserTx } from '../db/scope.js';
import { ancestors, childRefusal, descendants, parentRefusal } from './family.js';
import { type Gathered, gather, type Wanted } from './gather.js';
import { changesSince, checkGuard, type Guard, refuseMistaken, type Since } from './guard.js';
import { allFailed, type Failure, judgeEach, type Plan, planned } from './judge.js';
import { asHolder, refuseLate } from './lease.js';
import { type SimilarName, similarNames } from './names.js';
import { placed, placeTarget, refusePlace } from './order.js';
import { applyPatch, type Patch, refuseContradiction } from './patch.js';
import { chooseProject } from './project.js';
import { type ReadinessChanges, readinessChanges } from './readiness.js';
import type { Edit, ProjectEdit } from './record.js';
import { areOfOneSeries, isClosing, nextInSeries } from './recurrence/series.js';
import { settle, settled } from './settle.js';
import { inTrash, isOpenStatus, isOpenTask, presentTask, type Task, UNCLAIMED } from './task.js';
import type { Decision, WriteCommand, WriteContext } from './write.js';

/** What became of each task named: as it now is, whether anything changed, or why not. */
export interface Outcome extends ReadinessChanges {
  tasks: Task[];
  /** Those of them that came out of the trash. */
  restored: Set<number>;
  /** Those that were named, as they were. */
  before: ReadonlyMap<number, Task>;
  /** Those that were already so. */
  unchanged: Set<number>;
  failed: Failure[];
  /** Tasks, as they were, that somebody was working on who did not end that. */
  ended: Task[];
  /** Tasks whose claim, of which the caller gave the number, has run out. */
  lapsed: Task[];
  /** What repeating tasks that were closed are followed by. */
  next: Task[];
  /** The open sub-tasks of these. */
  nextParts: Task[];
  /** Repeating tasks that were closed and are followed by nothing. */
  last: Task[];
  /** Tasks that were opened though the next of their series is open too. */
  alsoOpen: [task: Task, next: Task][];
  /** Tasks that came out of the trash, with those that they are part of, which did not. */
  orphans: [parent: Task, children: Task[]][];
  /** What is new of the project and the labels given, and written almost like another. */
  similar: SimilarName[];
}

interface State extends Gathered {
  since: Since[];
}

async function gatherAll(tx: UserTx, wanted: Wanted, guard: Guard): Promise<State> {
  const [gathered, since] = await Promise.all([gather(tx, wanted), changesSince(tx, guard, wanted.ids)]);
  return { ...gathered, since };
}

/** What becomes of a task beside the patch. It may refuse. */
type Extra = (task: Task, moment: WriteContext) => Partial<Task>;

/** Changes tasks. Each is judged by itself: good ones are written, the others reported; if all fail, it is refused. */
export function updateTasks(
  ids: number[],
  patch: Patch,
  guard: Guard = {},
  extra?: Extra,
): WriteCommand<State, Outcome> {
  checkGuard(guard, ids);
  const clear = new Set(patch.clear);
  const around = placeTarget(patch);
  const blockers = [...(patch.add_blocked_by ?? []), ...(patch.remove_blocked_by ?? [])];
  const movesFamily = patch.parent !== undefined || clear.has('parent');
  const movesProject = patch.project !== undefined || clear.has('project');
  const closes = patch.status !== undefined && !isOpenStatus(patch.status);
  return {
    read: (tx) =>
      gatherAll(
        tx,
        {
          ids: [...ids, ...[patch.parent, around].filter((id) => id !== undefined), ...blockers],
          parents: patch.status !== undefined || movesFamily,
          below: patch.status !== undefined || movesFamily || movesProject ? ids : [],
          dependents: patch.status !== undefined,
          series: patch.status !== undefined && !closes,
          waits: [...(patch.add_blocked_by ?? []), ...(patch.parent === undefined ? [] : ids)],
          around,
          // What repeats is copied when it is closed.
          descriptions: patch.description !== undefined || clear.has('description') || closes || extra !== undefined,
          projects: patch.project === undefined ? undefined : { names: [patch.project] },
          labels: patch.add_labels,
        },
        guard,
      ),
    decide(state, called) {
      const moment = asHolder(state.tasks.get(ids[0] as number), guard.claim, called);
      const { home, newProjects } = chooseProject(patch.project, state, moment);
      const parent = patch.parent === undefined ? undefined : presentTask(state.tasks, patch.parent);
      for (const id of patch.add_blocked_by ?? []) presentTask(state.tasks, id);
      if (around !== undefined) refusePlace(state.tasks, ids, patch);
      let next: Task[] = [];
      let last: Task[] = [];
      const { plans, failed } = judgeEach(ids, state.tasks, () => {
        let nextId = moment.nextTask;
        [next, last] = [[], []];
        return (task, together) => {
          refuseLate(task, guard.claim, moment);
          if (task.deletedAt && patch.status !== 'pending') throw inTrash(task);
          const patched = applyPatch(task, patch, home, moment);
          if (parent && parent.id !== task.parentId) {
            const refusal = childRefusal(parent, patched) ?? parentRefusal(state.tasks, parent, task.id);
            if (refusal) throw refusal;
          }
          refuseMistaken(task, patched, guard, { since: state.since, timezone: moment.timezone });
          const after = {
            ...patched,
            ...extra?.(task, moment),
            ...(patch.status === 'pending' && freed(task, guard, moment)),
            ...(patch.status === 'in_progress' && task.claimed && { status: task.status }), // it is, while it is claimed
          };
          if (task.deletedAt) return [after, ...restored(task, after, state)];
          const along = after.projectId === task.projectId ? [] : movedAlong(task, after, state);
          if (!isClosing(task, after)) return [after, ...along];
          const closed = { ...after, repeats: null }; // the next of the series carries on with it
          const withParent = task.parentId !== null && together.has(task.parentId);
          const family = new Map([...state.tasks, ...along.map((each) => [each.id, each] as const)]);
          const following = withParent ? undefined : nextInSeries(after, family, moment, () => nextId++);
          if (!following) {
            if (after.repeats) last.push(closed);
            return [closed, ...along];
          }
          next.push(following.task);
          return [closed, ...along, following.task, ...following.subtasks];
        };
      });
      const goesOn = (task: Task) =>
        ancestors(state.tasks, task).some((above) => next.some((each) => areOfOneSeries(above, each)));
      return conclude(state, plans, failed, moment, {
        projects: newProjects,
        labels: patch.add_labels,
        next,
        last: last.filter((task) => !goesOn(task)),
        ranks: around === undefined ? undefined : placed(state.tasks, [...plans.keys()], patch, moment.nextTask),
        held: guard.claim !== undefined,
      });
    },
  };
}

/**
 * Changes tasks as a caller asks.
 *
 * @throws Refusal `invalid` for what contradicts itself, or changes nothing
 */
export function patchTasks(ids: number[], patch: Patch, guard: Guard): WriteCommand<State, Outcome> {
  refuseContradiction(patch);
  return updateTasks(ids, patch, guard);
}

/** Moves tasks to the trash, their sub-tasks with them. Those that are there already stay. */
export function deleteTasks(ids: number[], guard: Guard = {}): WriteCommand<State, Outcome> {
  checkGuard(guard, ids);
  return {
    read: (tx) => gatherAll(tx, { ids, parents: true, below: ids, dependents: true }, guard),
    decide(state, called) {
      const moment = asHolder(state.tasks.get(ids[0] as number), guard.claim, called);
      const gone = (task: Task) => ({ ...task, deletedAt: task.deletedAt ?? moment.now });
      const { plans, failed } = judgeEach(ids, state.tasks, () => (task) => {
        refuseLate(task, guard.claim, moment);
        refuseMistaken(task, gone(task), guard, { since: state.since, timezone: moment.timezone });
        return [task, ...descendants(state.tasks, task.id)].map(gone);
      });
      return conclude(state, plans, failed, moment, { held: guard.claim !== undefined });
    },
  };
}

/** Turns plans into edits, and into what the caller is told: those asked for, in that order, then what went along. */
function conclude(
  state: Gathered,
  plans: Map<number, Plan>,
  failed: Failure[],
  moment: WriteContext,
  {
    projects = [],
    labels = [],
    next = [],
    last = [],
    ranks,
    held,
  }: {
    projects?: ProjectEdit[];
    labels?: string[] | undefined;
    next?: Task[];
    last?: Task[];
    ranks?: Map<number, string> | undefined;
    /** Whether the caller holds the tasks that it named. */
    held: boolean;
  },
): Decision<Outcome> {
  if (plans.size === 0) throw allFailed(failed);
  const after = planned(plans);
  // Neighbours of what was moved may have got new ranks too.
  for (const [id, rank] of ranks ?? []) {
    const task = after.get(id) ?? state.tasks.get(id);
    if (task) after.set(id, { ...task, rank });
  }
  const { edits, counted } = settle(
    state.tasks,
    [...after.values()].map((task) => ({ after: task, held: held && plans.has(task.id) })),
    moment,
  );
  const now = settled(state.tasks, { edits, counted });
  const changed = new Set(edits.map((edit) => edit.after.id));
  const along = [...changed].filter((id) => state.tasks.has(id) && !ranks?.has(id));
  const shown = [...new Set([...plans.keys(), ...along])].map((id) => now.get(id) as Task);
  const restored = edits.filter(({ before, after }) => before?.deletedAt && !after.deletedAt).map(({ after }) => after);
  const made = projects.filter((project) => edits.some((edit) => edit.after.projectId === project.after.id));
  const names = made.map((project) => project.after.name);
  return {
    edits,
    counted,
    projects: made,
    by: moment.by,
    outcome: {
      tasks: shown,
      restored: new Set(restored.map(({ id }) => id)),
      before: new Map([...plans.keys()].map((id) => [id, state.tasks.get(id) as Task])),
      unchanged: new Set(shown.filter((task) => !changed.has(task.id)).map((task) => task.id)),
      failed,
      ended: edits.flatMap(({ before, after }) =>
        before?.claimed && !after.claimed && !(held && plans.has(after.id)) ? [before] : [],
      ),
      lapsed: shown.filter(
        (task) => held && plans.has(task.id) && isOpenTask(task) && task.claimedBy !== null && !task.claimed,
      ),
      ...readinessChanges(state.tasks, now, { edits, counted }, moment),
      next: next.map(({ id }) => now.get(id) as Task),
      nextParts: edits.flatMap(({ before, after }) =>
        before || next.some(({ id }) => id === after.id) ? [] : [after],
      ),
      last,
      alsoOpen: alsoOpenIn(edits, now),
      orphans: orphansOf(restored, now),
      similar: [
        ...similarNames('project', names, state.projectNames),
        ...similarNames('label', labels, state.labelNames),
      ],
    },
  };
}

function alsoOpenIn(edits: Edit[], now: ReadonlyMap<number, Task>): Outcome['alsoOpen'] {
  const opened = edits.filter(({ before, after }) => before && !isOpenTask(before) && isOpenTask(after));
  return opened.flatMap(({ after }) => {
    const next = [...now.values()].find((each) => isOpenTask(each) && areOfOneSeries(after, each));
    return next ? [[after, next] satisfies [Task, Task]] : [];
  });
}

function orphansOf(restored: Task[], tasks: ReadonlyMap<number, Task>): Outcome['orphans'] {
  const children = new Map<Task, Task[]>();
  for (const task of restored) {
    const parent = task.parentId === null ? undefined : tasks.get(task.parentId);
    if (parent?.deletedAt) children.set(parent, [...(children.get(parent) ?? []), task]);
  }
  return [...children];
}

/** Who says that a task is still to be begun says that nobody works on it. What its holder still sends is late then. */
const freed = (task: Task, { claim }: Guard, { batch }: WriteContext): Partial<Task> =>
  task.claimedBy === null ? {} : { ...UNCLAIMED, claim: claim ?? batch };

/** Sub-tasks that went to the trash together with their parent come back with it, and to where it goes. */
function restored(was: Task, { projectId, project, inArchivedProject }: Task, state: Gathered): Task[] {
  return descendants(state.tasks, was.id)
    .filter((task) => task.deletedAt?.getTime() === was.deletedAt?.getTime())
    .map((task) => ({
      ...task,
      deletedAt: null,
      ...(task.projectId === was.projectId && { projectId, project, inArchivedProject }),
    }));
}

/** Sub-tasks that are in the same project as their parent go to another with it. */
const movedAlong = (task: Task, { projectId, project, inArchivedProject }: Task, state: Gathered): Task[] =>
  descendants(state.tasks, task.id)
    .filter((each) => each.projectId === task.projectId && !each.deletedAt)
    .map((each) => ({ ...each, projectId, project, inArchivedProject }));
