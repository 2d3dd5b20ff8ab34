import type { Actor } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import { conflict, invalid, type Refusal, sayCall, truncateForMessage } from '../../errors.js';
import { type Gathered, gather } from '../gather.js';
import { groupBy } from '../group-by.js';
import { allFailed, type Failure } from '../judge.js';
import type { Project } from '../project.js';
import { type ReadinessChanges, readinessChanges } from '../readiness.js';
import { type Edit, isClaimOrRelease, type ProjectEdit, projectStep, type Step, taskStep } from '../record.js';
import { areOfOneSeries } from '../recurrence/series.js';
import { applyEdits } from '../settle.js';
import { isOpenTask, type Task } from '../task.js';
import type { WriteCommand, WriteContext } from '../write.js';
import { Draft } from './draft.js';
import {
  commentsOf,
  type Entry,
  type LaterEntry,
  lastWrites,
  laterChanges,
  loadWrite,
  projectNamesOf,
  projectsWithOtherTasks,
} from './past-writes.js';
import { endsProject } from './revert-project.js';
import { commentsIn } from './revert-task.js';
import { revertWrite } from './revert-write.js';

/** The write to undo, by its handle (`u57`), or how many of the caller's last writes. */
export interface UndoInput {
  undo?: string | undefined;
  last?: number | undefined;
}

export interface Undone extends ReadinessChanges {
  /** How many writes were to be undone and how many there were, if there were fewer. */
  fewer?: { asked: number; found: number };
  tasks: { task: Task; steps: Step[] }[];
  projects: { project: Project; steps: Step[] }[];
  /** Closed tasks that were thrown away, with the open one that carries their series on. */
  carriedOn: [gone: Task, open: Task][];
  /** Tasks and projects that could not be reverted, and why. */
  failed: Failure[];
}

/** The data that an undo is decided from. */
interface State extends Gathered {
  /** The writes to undo, newest first. */
  batches: number[];
  /** How many of the caller's last were asked for, if not one by its handle. */
  asked: number | undefined;
  entries: Entry[];
  later: LaterEntry[];
  /** Ids of projects to be removed that have tasks other than those loaded. */
  projectsInUse: Set<number>;
  /** Task id by comment id: existing comments mentioned in `entries`, and all on tasks that `entries` created. */
  comments: Map<number, number>;
}

/** Maximum number of writes that one call undoes. */
export const MAX_UNDO = 20;

/**
 * Undoes writes field by field. Fields that were changed since are left as they are and reported in `failed`.
 *
 * @throws Refusal `invalid` for bad input; `not_found` or `conflict` if there is nothing to undo; the failures, if
 *   nothing could be reverted
 */
export function undoWrites({ undo, last }: UndoInput): WriteCommand<State, Undone> {
  if ((undo === undefined) === (last === undefined))
    throw invalid('Give either undo or last.', 'undo takes a handle, such as u57; last takes a number of your writes.');
  const handle = /^u?([1-9]\d{0,14})$/i.exec(undo ?? '')?.[1];
  if (undo !== undefined && !handle)
    throw invalid(
      `undo: "${truncateForMessage(undo)}" is not a handle.`,
      'Give an undo handle from an earlier answer, such as u57.',
    );
  return { read: (tx, actor) => stateOf(tx, actor, handle, last), decide };
}

async function stateOf(tx: UserTx, actor: Actor, handle: string | undefined, last?: number): Promise<State> {
  const { batches, entries } = await (handle ? loadWrite(tx, Number(handle)) : lastWrites(tx, actor, last ?? 1));
  if (entries.every(({ op }) => isClaimOrRelease(op)))
    throw conflict(`u${handle} is a claim or a release, which cannot be undone.`, 'Use claim_task or release_task.');
  const wanted = mentioned(entries);
  const names = [...wanted.names, ...(await projectNamesOf(tx, wanted.renamed))];
  const [later, gathered, projectsInUse, comments] = await Promise.all([
    laterChanges(tx, batches),
    gather(tx, {
      ids: wanted.tasks,
      parents: true,
      below: wanted.tasks,
      dependents: true,
      series: true,
      waits: wanted.tasks,
      descriptions: true,
      projects: { ids: wanted.projects, names },
    }),
    projectsWithOtherTasks(tx, wanted.ending, wanted.tasks),
    commentsOf(tx, wanted.comments, wanted.made),
  ]);
  return { ...gathered, batches, entries, later, projectsInUse, comments, asked: last };
}

/** Collects the tasks, projects and names that must be loaded to revert the entries. */
function mentioned(entries: Entry[]) {
  const tasks = new Set<number>();
  const projects = new Set<number>();
  const names = new Set<string>();
  for (const { entity, entityId, before, after } of entries) {
    (entity === 'task' ? tasks : projects).add(entityId);
    for (const id of [before.parent, ...((before.blocked_by ?? []) as number[])])
      if (typeof id === 'number') tasks.add(id);
    if (entity === 'task' && typeof before.project === 'number') projects.add(before.project);
    for (const name of [before.name, after.name]) if (typeof name === 'string') names.add(name);
  }
  return {
    tasks: [...tasks],
    projects: [...projects],
    names: [...names],
    comments: entries.flatMap(({ before, after }) => [before, after].flatMap(commentsIn)).map(({ id }) => id),
    made: entries.filter(({ entity, op }) => entity === 'task' && op === 'create').map((entry) => entry.entityId),
    ending: entries.filter(endsProject).map((entry) => entry.entityId),
    /** Projects that may get an old name back, which another project may have taken. */
    renamed: entries
      .filter((entry) => entry.entity === 'project' && entry.op !== 'create')
      .map((entry) => entry.entityId),
  };
}

function decide(state: State, context: WriteContext) {
  let tasks: ReadonlyMap<number, Task> = state.tasks;
  let projects = new Map(state.projects.map((project) => [project.id, project]));
  const edits: Edit[] = [];
  const recounted = new Map<number, Task>();
  const projectEdits: ProjectEdit[] = [];
  const failed: Failure[] = [];
  const comments = new Map(state.comments);
  for (const batch of state.batches) {
    const later = state.later.filter((each) => each.batch > batch);
    const entries = state.entries.filter((entry) => entry.batch === batch).reverse();
    const draft = new Draft({ tasks, projects, projectsInUse: state.projectsInUse, comments, later }, context);
    const result = revertWrite(draft, batch, entries);
    for (const task of result.recounted) recounted.set(task.id, task);
    for (const { after } of result.edits) if (recounted.has(after.id)) recounted.set(after.id, after);
    for (const { after, commented } of result.edits) {
      for (const { id } of commented?.removed ?? []) comments.delete(id);
      for (const { id } of commented?.added ?? []) comments.set(id, after.id);
    }
    edits.push(...result.edits);
    projectEdits.push(...result.projects);
    failed.push(...result.failed);
    tasks = applyEdits(tasks, result);
    projects = new Map([...projects, ...result.projects.map(({ after }) => [after.id, after] as const)]);
  }
  if (edits.length + projectEdits.length === 0) {
    if (failed.length > 0) throw allFailed(failed);
    throw nothingLeft(state);
  }
  // The undo may also have archived projects or brought them back.
  const refreshed = [...recounted.values()].map((task) => ({ ...task, inArchivedProject: isArchived(task, projects) }));
  return {
    edits,
    recounted: [...recounted.values()],
    projects: projectEdits,
    outcome: {
      tasks: [...byId(edits)].map(([id, changes]) => ({ task: tasks.get(id) as Task, steps: changes.map(taskStep) })),
      projects: [...byId(projectEdits)].map(([id, changes]) => ({
        project: projects.get(id) as Project,
        steps: changes.map(projectStep),
      })),
      carriedOn: carriedOnIn(state, tasks),
      ...readinessChanges(
        state.tasks,
        applyEdits(tasks, { edits: [], recounted: refreshed }),
        { edits, recounted: refreshed },
        context,
      ),
      ...(state.asked &&
        state.batches.length < state.asked && { fewer: { asked: state.asked, found: state.batches.length } }),
      failed: failed.length <= FAILED ? failed : [...failed.slice(0, FAILED), others(failed.length - FAILED)],
    },
  };
}

function carriedOnIn({ entries, tasks }: State, after: ReadonlyMap<number, Task>): Undone['carriedOn'] {
  const carriers = [...after.values()].filter((task) => task.repeats && isOpenTask(task));
  return entries.flatMap(({ entity, op, entityId }) => {
    const was = entity === 'task' && op === 'create' ? tasks.get(entityId) : undefined;
    if (!was || isOpenTask(was) || was.deletedAt || !after.get(was.id)?.deletedAt) return [];
    const open = carriers.find((each) => areOfOneSeries(was, each));
    return open ? [[was, open]] : [];
  });
}

/** A write that was reverted otherwise does not count as undone: the last of a caller's writes, it would stay that. */
function nothingLeft({ batches, asked }: State): Refusal {
  const goesOn = asked === batches.length && asked < MAX_UNDO;
  return conflict(
    `Nothing is left to undo of ${batches.map((batch) => `u${batch}`).join(', ')}: already reverted.`,
    goesOn
      ? `To undo the write before as well: ${sayCall('undo', { last: asked + 1 })}.`
      : 'Give the handle of another write.',
  );
}

/** Maximum number of failures reported one by one. */
const FAILED = 50;
const others = (count: number): Failure => ({
  id: 'others',
  ...conflict(`${count} more could not be reverted, for similar reasons.`).body,
});

function isArchived({ projectId, inArchivedProject }: Task, projects: ReadonlyMap<number, Project>): boolean {
  const project = projectId === null ? undefined : projects.get(projectId);
  return project ? project.archivedAt !== null : inArchivedProject;
}

const byId = <E extends { after: { id: number } }>(edits: E[]) => groupBy(edits, ({ after }) => after.id);
