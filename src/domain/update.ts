import type { Repeat } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { ancestorRefusal, childRefusal, descendants } from './family.js';
import { type Gathered, gather, type Wanted } from './gather.js';
import { changesSince, checkExpectations, checkGuard, type Guard, type LaterChange, unseenItems } from './guard.js';
import { allFailed, type Failure, mergePlans, type Plan, type Planner, planEach } from './judge.js';
import { attributedToHolder, checkClaim, checkReleasable, hasLapsed } from './lease.js';
import { type SimilarName, similarNames } from './names.js';
import { checkPlace, placeTarget, ranksFor } from './order.js';
import { applyPatch, type Patch, refuseContradiction } from './patch.js';
import { chooseProject } from './project.js';
import { type ReadinessChanges, readinessChanges } from './readiness.js';
import type { Edit, ProjectEdit } from './record.js';
import { SeriesClosings } from './recurrence/closings.js';
import { formerRules } from './recurrence/former-rules.js';
import { areOfOneSeries, heirOf, isClosing } from './recurrence/series.js';
import { applyEdits, type Settled, settle } from './settle.js';
import { closedAmong, inTrash, isOpenStatus, isOpenTask, presentTask, type Task, UNCLAIMED } from './task.js';
import type { Decision, WriteCommand, WriteContext } from './write.js';

/** Result of an update: each task that the call names as it is now, whether it changed, or why it failed. */
export interface Outcome extends ReadinessChanges {
  /** The named tasks that did not fail, in the order of the call, then others that changed with them. */
  tasks: Task[];
  /** Ids of the tasks restored from the trash. */
  restored: Set<number>;
  /** The named tasks that did not fail, as they were before. */
  before: ReadonlyMap<number, Task>;
  /** Ids of the tasks that already were as requested. */
  unchanged: Set<number>;
  failed: Failure[];
  /** Tasks that were to be released although nobody had claimed them. */
  unclaimed: Task[];
  /** Tasks, as they were before, whose running claim was ended by someone other than its holder. */
  ended: Task[];
  /** Open tasks whose claim, named by the caller, has expired. */
  expired: Task[];
  /** The next tasks of the repeating tasks that were closed. */
  next: Task[];
  /** The sub-tasks created with them. */
  nextSubtasks: Task[];
  /** Repeating tasks that were closed and whose rule has no further occurrence. */
  endedSeries: Task[];
  /** Repeating tasks that were closed together with the one above them, so that none follows. */
  endedWithParent: Task[];
  /** Repeating tasks that were closed, with how many dates of their series were past already. */
  skipped: [task: Task, count: number][];
  /** Deleted tasks, as they were, whose rule went to another open task of their series. */
  heirs: [deleted: Task, heir: Task][];
  /** Deleted tasks, as they were, whose series nothing carries on. */
  cutShort: Task[];
  /** Their sub-tasks that were open. */
  cutShortSubtasks: Task[];
  /** Reopened tasks by the other open task of their series: the one that has its rule, if there is one. */
  alsoOpen: [tasks: Task[], other: Task][];
  /** Reopened tasks that repeated until they were closed, with their rule; nothing carries their series on. */
  discontinued: [task: Task, rule: Repeat][];
  /** Restored tasks by their parent, if that is still in the trash. */
  orphans: [parent: Task, children: Task[]][];
  /** New project and label names that are spelled almost like existing ones. */
  similar: SimilarName[];
  /** Tasks that were named as blockers although they are closed. */
  closedBlockers: Task[];
}

interface State extends Gathered {
  since: LaterChange[];
  /** Rules that closed tasks had, by task id, if the call may open them. */
  formerRules: Map<number, Repeat>;
}

async function gatherAll(tx: UserTx, wanted: Wanted, guard: Guard, opened: number[] = []): Promise<State> {
  const [gathered, since, rules] = await Promise.all([
    gather(tx, wanted),
    changesSince(tx, guard, wanted.ids),
    opened.length > 0 ? formerRules(tx, opened) : new Map(),
  ]);
  return { ...gathered, since, formerRules: rules };
}

/**
 * Applies one patch to tasks. Each task is judged separately: valid changes are written, the others reported as failed.
 *
 * @param also.release releases the claims too, with this note if there is one
 * @param also.restores whether a deleted task is restored if the patch gives it a status: `pending`, or the one it has
 * @throws Refusal `invalid` for a guard on more than one task; in `decide`, if all tasks fail
 */
export function updateTasks(
  ids: number[],
  patch: Patch,
  guard: Guard = {},
  { release, restores = false }: { release?: Pick<Task, 'note'>; restores?: boolean } = {},
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
          // Closing a repeating task copies it, description included. Notes are loaded with descriptions.
          descriptions: patch.description !== undefined || clear.has('description') || closes || release !== undefined,
          projects: patch.project === undefined ? undefined : { names: [patch.project] },
          labels: patch.add_labels,
        },
        guard,
        patch.status !== undefined && !closes && !clear.has('repeats') ? ids : [],
      ),
    decide(state, called) {
      const context = attributedToHolder(state.tasks.get(ids[0] as number), guard.claim, called);
      const { home, newProjects } = chooseProject(patch.project, state, context);
      const parent = patch.parent === undefined ? undefined : presentTask(state.tasks, patch.parent);
      for (const id of patch.add_blocked_by ?? []) presentTask(state.tasks, id);
      if (around !== undefined) checkPlace(state.tasks, ids, patch);
      let closings = new SeriesClosings(state.tasks, context);
      const { plans, failed } = planEach(ids, state.tasks, () => {
        closings = new SeriesClosings(state.tasks, context);
        return (task, together) => {
          checkClaim(task, guard.claim, context);
          if (release) checkReleasable(task, guard.claim, context);
          const restoring = restores && (patch.status === 'pending' || patch.status === task.status);
          if (task.deletedAt && !restoring) throw inTrash(task);
          const patched = applyPatch(task, patch, home, unseenItems(task, state.since), context);
          if (parent && parent.id !== task.parentId) {
            const refusal = childRefusal(parent, patched) ?? ancestorRefusal(state.tasks, task.id, parent);
            if (refusal) throw refusal;
          }
          checkExpectations(task, patched, guard, { since: state.since, timezone: context.timezone });
          const after = {
            ...patched,
            ...(release && { ...handedOn(task, patched), ...release }),
            ...(patch.status === 'pending' && released(task, guard, context)),
            ...(patch.status === 'in_progress' && begun(task, guard, context)),
          };
          if (task.deletedAt) return [after, ...restored(task, after, state)];
          const along = after.projectId === task.projectId ? [] : movedAlong(task, after, state);
          if (!isClosing(task, after)) return [after, ...along];
          return closings.close(after, along, task.parentId !== null && together.has(task.parentId));
        };
      });
      return conclude(state, plans, failed, context, {
        projects: newProjects,
        labels: patch.add_labels,
        blockers: patch.add_blocked_by,
        series: closings,
        ranks: around === undefined ? undefined : ranksFor(state.tasks, [...plans.keys()], patch, context.nextTask),
        held: guard.claim !== undefined,
        released: release !== undefined,
      });
    },
  };
}

/**
 * Applies a caller's patch to tasks.
 *
 * @throws Refusal `invalid` if the patch contradicts itself or is empty
 */
export function patchTasks(ids: number[], patch: Patch, guard: Guard): WriteCommand<State, Outcome> {
  refuseContradiction(patch);
  return updateTasks(ids, patch, guard, { restores: true });
}

/**
 * Moves tasks and all their sub-tasks to the trash. Those already there keep their date of deletion. If another task of a
 * repeating one's series is open, it carries the series on.
 */
export function deleteTasks(ids: number[], guard: Guard = {}): WriteCommand<State, Outcome> {
  checkGuard(guard, ids);
  return {
    read: (tx) => gatherAll(tx, { ids, parents: true, below: ids, dependents: true, series: true }, guard),
    decide(state, called) {
      const context = attributedToHolder(state.tasks.get(ids[0] as number), guard.claim, called);
      const gone = (task: Task) => ({ ...task, deletedAt: task.deletedAt ?? context.now });
      const plan: Planner = (task) => {
        checkClaim(task, guard.claim, context);
        checkExpectations(task, gone(task), guard, { since: state.since, timezone: context.timezone });
        return [gone(task), ...descendants(state.tasks, task.id).map(gone)];
      };
      const { plans, failed } = planEach(ids, state.tasks, () => plan);
      const series = seriesOfDeleted(state.tasks, plans, context.timezone);
      return conclude(state, plans, failed, context, { series, held: guard.claim !== undefined });
    },
  };
}

/** Finds the open tasks with a rule that are deleted, and the tasks that carry their series on. */
function seriesOfDeleted(tasks: ReadonlyMap<number, Task>, plans: ReadonlyMap<number, Plan>, timezone: string) {
  const after = new Map([...tasks, ...mergePlans(plans)]);
  const heirs: Outcome['heirs'] = [];
  const cutShort: Task[] = [];
  for (const was of tasks.values()) {
    if (!was.repeats || !isOpenTask(was) || isOpenTask(after.get(was.id) as Task)) continue;
    const heir = heirOf(was, after.values(), timezone);
    if (!heir) cutShort.push(was);
    else if (heir !== after.get(heir.id)) {
      after.set(heir.id, heir);
      heirs.push([was, heir]);
    }
  }
  return { heirs, cutShort };
}

/** What a write does to series of repeating tasks, besides the plans of its tasks. */
interface SeriesChanges extends Pick<SeriesClosings, 'next' | 'ended' | 'endedWithParent' | 'skipped'> {
  heirs: Outcome['heirs'];
  cutShort: Outcome['cutShort'];
}

/** What a write does besides the plans of its tasks. */
interface Extras {
  /** New projects, of which only those that tasks are moved to are created. */
  projects?: ProjectEdit[];
  labels?: string[] | undefined;
  blockers?: number[] | undefined;
  series?: Partial<SeriesChanges>;
  ranks?: Map<number, string> | undefined;
  /** Whether the caller gave the number of its claim. */
  held: boolean;
  /** Whether the call releases a claim. */
  released?: boolean;
}

type Plans = ReadonlyMap<number, Plan>;

/**
 * Turns plans into edits and the outcome.
 *
 * @throws Refusal if there are no plans, because every task failed
 */
function conclude(
  state: State,
  plans: Plans,
  failed: Failure[],
  context: WriteContext,
  extras: Extras,
): Decision<Outcome> {
  if (plans.size === 0) throw allFailed(failed);
  const settled = settlePlans(state, plans, extras, context);
  const isUsed = ({ after }: ProjectEdit) => settled.edits.some((edit) => edit.after.projectId === after.id);
  const projects = (extras.projects ?? []).filter(isUsed);
  const outcome = outcomeOf(state, plans, settled, { ...extras, projects }, context);
  return { ...settled, projects, by: context.by, outcome: { ...outcome, failed } };
}

/** Settles the plans, with the ranks of neighbours and the rules of series that change too. */
function settlePlans(
  state: State,
  plans: Plans,
  { ranks, held, series: { ended = [], endedWithParent = [], heirs = [] } = {} }: Extras,
  context: WriteContext,
): Settled {
  const after = mergePlans(plans);
  for (const [id, rank] of ranks ?? []) {
    const task = after.get(id) ?? state.tasks.get(id);
    if (task) after.set(id, { ...task, rank });
  }
  const setRule = (id: number, repeats: Repeat | null) => after.set(id, { ...(after.get(id) as Task), repeats });
  for (const { id, repeats } of [...ended, ...endedWithParent]) setRule(id, repeats);
  for (const [{ id }, heir] of heirs) {
    setRule(id, null);
    after.set(heir.id, heir);
  }
  return settle(
    state.tasks,
    [...after.values()].map((task) => ({ after: task, held: held && plans.has(task.id) })),
    context,
  );
}

function outcomeOf(
  state: State,
  plans: Plans,
  { edits, counted }: Settled,
  { projects = [], labels = [], blockers = [], series = {}, ranks, held, released = false }: Extras,
  context: WriteContext,
): Omit<Outcome, 'failed'> {
  const { next = [], ended: endedSeries = [], endedWithParent = [], skipped = [], heirs = [], cutShort = [] } = series;
  const now = applyEdits(state.tasks, { edits, counted });
  const changed = new Set(edits.map((edit) => edit.after.id));
  const inherits = (id: number) => heirs.some(([, heir]) => heir.id === id);
  const along = [...changed].filter((id) => state.tasks.has(id) && !ranks?.has(id) && !inherits(id));
  const shown = [...new Set([...plans.keys(), ...along])].map((id) => now.get(id) as Task);
  const restored = edits.filter(({ before, after }) => before?.deletedAt && !after.deletedAt).map(({ after }) => after);
  const asked = cutShort.filter(({ id }) => plans.has(id));
  const names = projects.map((project) => project.after.name);
  return {
    tasks: shown,
    restored: new Set(restored.map(({ id }) => id)),
    before: new Map([...plans.keys()].map((id) => [id, state.tasks.get(id) as Task])),
    unchanged: new Set(shown.filter((task) => !changed.has(task.id)).map((task) => task.id)),
    unclaimed: shown.filter(({ id }) => released && !held && plans.has(id) && state.tasks.get(id)?.claimedBy === null),
    ended: edits.flatMap(({ before, after }) =>
      before?.claimed && !after.claimed && !(held && plans.has(after.id)) ? [before] : [],
    ),
    expired: shown.filter((task) => held && plans.has(task.id) && hasLapsed(task)),
    ...readinessChanges(state.tasks, now, { edits, counted }, context),
    next: next.map(({ id }) => now.get(id) as Task),
    nextSubtasks: edits.flatMap(({ before, after }) =>
      before || next.some(({ id }) => id === after.id) ? [] : [after],
    ),
    endedSeries,
    endedWithParent,
    skipped,
    heirs,
    cutShort: asked,
    cutShortSubtasks: asked.flatMap(({ id }) => descendants(state.tasks, id).filter(isOpenTask)),
    alsoOpen: alsoOpenIn(edits, now),
    discontinued: discontinuedIn(edits, now, state.formerRules),
    orphans: orphansOf(restored, now),
    similar: [
      ...similarNames('project', names, state.projectNames),
      ...similarNames('label', labels, state.labelNames),
    ],
    closedBlockers: closedAmong(blockers, state.tasks),
  };
}

const isOpening = ({ before, after }: Edit) => before && !isOpenTask(before) && isOpenTask(after);

function discontinuedIn(
  edits: Edit[],
  now: ReadonlyMap<number, Task>,
  rules: ReadonlyMap<number, Repeat>,
): Outcome['discontinued'] {
  const opened = edits.filter(isOpening).map(({ after }) => after);
  return opened.flatMap((task) => {
    // Of several opened at once, the last is meant to go on.
    const others = [...now.values()].filter((each) => each.id > task.id || !opened.includes(each));
    const goesOn = task.repeats !== null || others.some((each) => isOpenTask(each) && areOfOneSeries(task, each));
    const rule = goesOn ? undefined : rules.get(task.id);
    return rule ? [[task, rule]] : [];
  });
}

function alsoOpenIn(edits: Edit[], now: ReadonlyMap<number, Task>): Outcome['alsoOpen'] {
  const opened = edits.filter(isOpening);
  const ids = new Set(opened.map(({ after }) => after.id));
  const byOther = new Map<Task, Task[]>();
  for (const { after } of opened) {
    const others = [...now.values()].filter(
      (each) => isOpenTask(each) && !ids.has(each.id) && areOfOneSeries(after, each),
    );
    const other = others.find((each) => each.repeats) ?? others.at(-1);
    if (other) byOther.set(other, [...(byOther.get(other) ?? []), after]);
  }
  return [...byOther].map(([other, tasks]) => [tasks, other]);
}

function orphansOf(restored: Task[], tasks: ReadonlyMap<number, Task>): Outcome['orphans'] {
  const children = new Map<Task, Task[]>();
  for (const task of restored) {
    const parent = task.parentId === null ? undefined : tasks.get(task.parentId);
    if (parent?.deletedAt) children.set(parent, [...(children.get(parent) ?? []), task]);
  }
  return [...children];
}

/** Setting status to pending releases the claim and invalidates its number: later calls by its holder are refused. */
const released = (task: Task, { claim }: Guard, { batch }: WriteContext): Partial<Task> =>
  task.claimedBy === null ? {} : { ...UNCLAIMED, claim: claim ?? batch };

/** Begins a task by hand: a claim that runs implies it already, one that has expired is over unless its holder begins. */
const begun = (task: Task, guard: Guard, context: WriteContext): Partial<Task> =>
  task.claimed ? { status: task.status } : guard.claim === undefined ? released(task, guard, context) : {};

/** Releases a claim. What was begun before it was claimed is for others to begin, too. */
const handedOn = (task: Task, { status }: Task): Partial<Task> => ({
  ...UNCLAIMED,
  ...(task.claimedBy !== null && status === 'in_progress' && { status: 'pending' }),
});

/** Restores the sub-tasks that were deleted together with their parent; those in its project follow it to a new one. */
function restored(was: Task, { projectId, project, inArchivedProject }: Task, state: Gathered): Task[] {
  return descendants(state.tasks, was.id)
    .filter((task) => task.deletedAt?.getTime() === was.deletedAt?.getTime())
    .map((task) => ({
      ...task,
      deletedAt: null,
      ...(task.projectId === was.projectId && { projectId, project, inArchivedProject }),
    }));
}

/** Moves the sub-tasks that are in the same project as their parent to its new project. */
const movedAlong = (task: Task, { projectId, project, inArchivedProject }: Task, state: Gathered): Task[] =>
  descendants(state.tasks, task.id)
    .filter((each) => each.projectId === task.projectId && !each.deletedAt)
    .map((each) => ({ ...each, projectId, project, inArchivedProject }));
