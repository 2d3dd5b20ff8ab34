import type { Repeat } from '../db/schema.js';
import { descendants } from './family.js';
import type { Gathered } from './gather.js';
import { groupBy } from './group-by.js';
import { allFailed, type Failure, mergePlans, type Plan } from './judge.js';
import { hasLapsed } from './lease.js';
import { type SimilarName, similarNewNames } from './names.js';
import { type ReadinessChanges, readinessChanges } from './readiness.js';
import type { Edit, ProjectEdit } from './record.js';
import type { SeriesClosings } from './recurrence/closings.js';
import { areOfOneSeries } from './recurrence/series.js';
import { applyEdits, type Settled, settle } from './settle.js';
import { closedAmong, isOpenTask, type Task } from './task.js';
import type { Decision, WriteContext } from './write.js';

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

/** What was loaded for an update. */
export interface UpdateState extends Gathered {
  /** Rules that closed tasks had, by task id, if the call may open them. */
  formerRules: ReadonlyMap<number, Repeat>;
}

/** What an update does besides the plans of its tasks. */
interface Extras {
  /** New projects, of which only those that tasks are moved to are created. */
  projects: ProjectEdit[];
  labels: string[];
  blockers: number[];
  /** What closing repeating tasks does to their series. */
  closings: Pick<SeriesClosings, 'next' | 'ended' | 'endedWithParent' | 'skipped'>;
  /** What deleting repeating tasks does to their series. */
  deletions: Pick<Outcome, 'heirs' | 'cutShort'>;
  ranks: ReadonlyMap<number, string>;
  /** Whether the caller gave the number of its claim. */
  byHolder: boolean;
  /** Whether the call releases a claim. */
  released: boolean;
}

const NO_EXTRAS: Extras = {
  projects: [],
  labels: [],
  blockers: [],
  closings: { next: [], ended: [], endedWithParent: [], skipped: [] },
  deletions: { heirs: [], cutShort: [] },
  ranks: new Map(),
  byHolder: false,
  released: false,
};

type Plans = ReadonlyMap<number, Plan>;

/**
 * Turns the plans of `planEach` into edits and the outcome.
 *
 * @throws Refusal if there are no plans, because every task failed
 */
export function conclude(
  state: UpdateState,
  { plans, failed }: { plans: Plans; failed: Failure[] },
  context: WriteContext,
  given: Partial<Extras>,
): Decision<Outcome> {
  if (plans.size === 0) throw allFailed(failed);
  const extras = { ...NO_EXTRAS, ...given };
  const settled = settlePlans(state, plans, extras, context);
  const isUsed = ({ after }: ProjectEdit) => settled.edits.some((edit) => edit.after.projectId === after.id);
  const projects = extras.projects.filter(isUsed);
  const outcome = outcomeOf(state, plans, settled, { ...extras, projects }, context);
  return { ...settled, projects, by: context.by, outcome: { ...outcome, failed } };
}

/** Settles the plans, with the ranks of neighbours and the rules of series that change too. */
function settlePlans(
  state: UpdateState,
  plans: Plans,
  { ranks, byHolder, closings, deletions }: Extras,
  context: WriteContext,
): Settled {
  const after = mergePlans(plans);
  for (const [id, rank] of ranks) {
    const task = after.get(id) ?? state.tasks.get(id);
    if (task) after.set(id, { ...task, rank });
  }
  const setRule = (id: number, repeats: Repeat | null) => after.set(id, { ...(after.get(id) as Task), repeats });
  for (const { id, repeats } of [...closings.ended, ...closings.endedWithParent]) setRule(id, repeats);
  for (const [{ id }, heir] of deletions.heirs) {
    setRule(id, null);
    after.set(heir.id, heir);
  }
  return settle(
    state.tasks,
    [...after.values()].map((task) => ({ after: task, byHolder: byHolder && plans.has(task.id) })),
    context,
  );
}

function outcomeOf(
  state: UpdateState,
  plans: Plans,
  { edits, recounted }: Settled,
  { projects, labels, blockers, closings, deletions: { heirs, cutShort }, ranks, byHolder, released }: Extras,
  context: WriteContext,
): Omit<Outcome, 'failed'> {
  const { next, ended: endedSeries, endedWithParent, skipped } = closings;
  const now = applyEdits(state.tasks, { edits, recounted });
  const changed = new Set(edits.map((edit) => edit.after.id));
  const inherits = (id: number) => heirs.some(([, heir]) => heir.id === id);
  const along = [...changed].filter((id) => state.tasks.has(id) && !ranks.has(id) && !inherits(id));
  const shown = [...new Set([...plans.keys(), ...along])].map((id) => now.get(id) as Task);
  const restored = edits.filter(({ before, after }) => before?.deletedAt && !after.deletedAt).map(({ after }) => after);
  const asked = cutShort.filter(({ id }) => plans.has(id));
  const names = projects.map((project) => project.after.name);
  return {
    tasks: shown,
    restored: new Set(restored.map(({ id }) => id)),
    before: new Map([...plans.keys()].map((id) => [id, state.tasks.get(id) as Task])),
    unchanged: new Set(shown.filter((task) => !changed.has(task.id)).map((task) => task.id)),
    unclaimed: shown.filter(
      ({ id }) => released && !byHolder && plans.has(id) && state.tasks.get(id)?.claimedBy === null,
    ),
    ended: edits.flatMap(({ before, after }) =>
      before?.claimed && !after.claimed && !(byHolder && plans.has(after.id)) ? [before] : [],
    ),
    expired: shown.filter((task) => byHolder && plans.has(task.id) && hasLapsed(task)),
    ...readinessChanges(state.tasks, now, { edits, recounted }, context),
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
    similar: similarNewNames({ projects: names, labels }, state),
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
  const opened = edits.filter(isOpening).map(({ after }) => after);
  const ids = new Set(opened.map(({ id }) => id));
  const open = [...now.values()].filter((each) => isOpenTask(each) && !ids.has(each.id));
  const byOther = groupBy(opened, (task) => {
    const others = open.filter((each) => areOfOneSeries(task, each));
    return others.find((each) => each.repeats) ?? others.at(-1);
  });
  return [...byOther].map(([other, tasks]) => [tasks, other]);
}

function orphansOf(restored: Task[], tasks: ReadonlyMap<number, Task>): Outcome['orphans'] {
  const byParent = groupBy(restored, ({ parentId }) => {
    const parent = parentId === null ? undefined : tasks.get(parentId);
    return parent?.deletedAt ? parent : undefined;
  });
  return [...byParent];
}
