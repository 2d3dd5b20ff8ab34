import { Refusal, type RefusalBody } from '../errors.js';
import { chooseProject } from './add.js';
import { descendants, refuseOrphans, refuseParent } from './family.js';
import { type Gathered, gather } from './gather.js';
import { editLabels } from './labels.js';
import { inTrash, noTask, type Priority, type Status, type Task } from './task.js';
import { parseWhen } from './when.js';
import { type Change, differences, type Edit, type Moment, type NewProject } from './write.js';

/** What `clear` may empty. */
export const CLEARABLE = [
  'description',
  'priority',
  'due',
  'start',
  'estimate_minutes',
  'project',
  'parent',
  'labels',
] as const;

/** One patch for one or many tasks. What is left out stays as it is; only `clear` empties. */
export interface Patch {
  title?: string | undefined;
  description?: string | undefined;
  status?: Status | undefined;
  priority?: Priority | undefined;
  due?: string | undefined;
  start?: string | undefined;
  estimate_minutes?: number | undefined;
  project?: string | undefined;
  parent?: number | undefined;
  add_labels?: string[] | undefined;
  remove_labels?: string[] | undefined;
  clear?: (typeof CLEARABLE)[number][] | undefined;
}

export interface Failure extends RefusalBody {
  id: number | string;
}

/** What became of each task named: as it now is, whether anything changed, or why not. */
export interface Outcome {
  tasks: Task[];
  /** Those that were already so. */
  unchanged: Set<number>;
  failed: Failure[];
}

/** Changes tasks. Each is judged by itself: good ones are written, the others reported; if all fail, it is refused. */
export function updateTasks(ids: number[], patch: Patch): Change<Gathered, Outcome> {
  const family = patch.status !== undefined || patch.parent !== undefined || (patch.clear?.includes('parent') ?? false);
  return {
    read: (tx) =>
      gather(tx, {
        ids: patch.parent === undefined ? ids : [...ids, patch.parent],
        family,
        descriptions: patch.description !== undefined || (patch.clear?.includes('description') ?? false),
        project: patch.project,
      }),
    decide(state, moment) {
      const { project, newProjects } = chooseProject(patch.project, state, moment);
      const parent = parentFor(patch, state);
      return decideEach(ids, state, moment, newProjects, (task) => {
        if (task.deletedAt && patch.status !== 'pending') throw inTrash(task);
        const refusal = parent && refuseParent(state.tasks, parent, task.id);
        if (refusal) throw refusal;
        const after = applyPatch(task, patch, project, moment);
        return task.deletedAt ? [after, ...restored(task, state)] : [after];
      });
    },
  };
}

/** Moves tasks to the trash, their sub-tasks with them. Those that are there already stay. */
export function deleteTasks(ids: number[]): Change<Gathered, Outcome> {
  return {
    read: (tx) => gather(tx, { ids, family: true }),
    decide: (state, moment) =>
      decideEach(ids, state, moment, [], (task) =>
        [task, ...descendants(state.tasks, task.id)].map((each) => ({
          ...each,
          deletedAt: each.deletedAt ?? moment.now,
        })),
      ),
  };
}

/** Sub-tasks that went to the trash together with their parent come back with it. */
function restored(parent: Task, state: Gathered): Task[] {
  return descendants(state.tasks, parent.id)
    .filter((task) => task.deletedAt?.getTime() === parent.deletedAt?.getTime())
    .map((task) => ({ ...task, deletedAt: null }));
}

function parentFor(patch: Patch, state: Gathered): Task | undefined {
  if (patch.parent === undefined) return undefined;
  const parent = state.tasks.get(patch.parent);
  if (!parent) throw noTask(patch.parent);
  if (parent.deletedAt) throw inTrash(parent);
  return parent;
}

/**
 * Judges every task by itself, then the families as they would be left: a task may close only if the
 * sub-tasks that stay are closed, whether before or in this same call.
 */
function decideEach(
  ids: number[],
  state: Gathered,
  moment: Moment,
  newProjects: NewProject[],
  change: (task: Task) => Task[],
) {
  const failed = new Map<number, Failure>();
  const plans = new Map<number, Task[]>();
  for (const id of new Set(ids)) {
    try {
      const task = state.tasks.get(id);
      if (!task) throw noTask(id);
      plans.set(id, change(task));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      failed.set(id, { id, ...error.body });
    }
  }
  // One that fails can make another fail, so until no more do.
  for (let settled = false; !settled; ) {
    settled = true;
    const after = new Map([...state.tasks, ...planned(plans)]);
    for (const [id, plan] of plans) {
      const refusal = plan
        .map((task) => changesFamily(state, task) && refuseOrphans(after, task))
        .find((r) => r !== undefined && r !== false);
      if (!refusal) continue;
      plans.delete(id);
      failed.set(id, { id, ...refusal.body });
      settled = false;
    }
  }
  if (plans.size === 0) throw allFailed([...failed.values()]);

  const changed = [...planned(plans).values()]
    .map((task): Edit => ({ before: state.tasks.get(task.id) ?? null, after: task }))
    .filter(isChange)
    .map(({ before, after }) => ({
      before,
      after: { ...after, version: after.version + 1, updatedAt: moment.now, updatedBy: moment.by },
    }));
  const now = new Map(changed.map((edit) => [edit.after.id, edit.after]));
  // Those asked for, in that order, then what went along with them.
  const shown = [...new Set([...plans.keys(), ...now.keys()])].map(
    (id) => now.get(id) ?? (state.tasks.get(id) as Task),
  );
  return {
    edits: changed,
    newProjects: newProjects.filter((project) => changed.some((edit) => edit.after.projectId === project.id)),
    outcome: {
      tasks: shown,
      unchanged: new Set(shown.filter((task) => !now.has(task.id)).map((task) => task.id)),
      failed: [...failed.values()],
    },
  };
}

/** The tasks of all plans. What one was asked to become outweighs what happens to it along with its parent. */
function planned(plans: Map<number, Task[]>): Map<number, Task> {
  const along = [...plans.values()].flatMap(([, ...rest]) => rest);
  const asked = [...plans.values()].flatMap(([task]) => task ?? []);
  return new Map([...along, ...asked].map((task) => [task.id, task]));
}

function isChange(edit: Edit): boolean {
  const { before, after } = differences(edit);
  return Object.keys(before).length + Object.keys(after).length > 0;
}

/** Whether a plan opens, closes, moves or restores a task: nothing else can leave a family wrong. */
function changesFamily(state: Gathered, task: Task): boolean {
  const before = state.tasks.get(task.id);
  return before?.status !== task.status || before.parentId !== task.parentId || before.deletedAt !== task.deletedAt;
}

/** One refusal for one task; for several, the first one's code, and every reason. */
export function allFailed(failed: Failure[]): Refusal {
  const [{ id: _, ...first }] = failed as [Failure];
  if (failed.length === 1) return new Refusal(first);
  return new Refusal({ ...first, message: failed.map((failure) => failure.message).join(' ') });
}

function applyPatch(task: Task, patch: Patch, project: NewProject | undefined, { now, timezone }: Moment): Task {
  const clear = new Set(patch.clear);
  const status = patch.status ?? task.status;
  const when = (field: 'due' | 'start') => {
    const text = patch[field];
    return text ? parseWhen(text, { now, timezone }, field) : clear.has(field) ? null : task[field];
  };
  return {
    ...task,
    title: patch.title ?? task.title,
    ...('description' in task && {
      description: patch.description ?? (clear.has('description') ? null : task.description),
    }),
    status,
    completedAt: status !== 'completed' ? null : task.status === 'completed' ? task.completedAt : now,
    deletedAt: null, // one in the trash only gets here to be restored
    priority: patch.priority ?? (clear.has('priority') ? null : task.priority),
    due: when('due'),
    start: when('start'),
    estimateMinutes: patch.estimate_minutes ?? (clear.has('estimate_minutes') ? null : task.estimateMinutes),
    projectId: project?.id ?? (clear.has('project') ? null : task.projectId),
    project: project?.name ?? (clear.has('project') ? null : task.project),
    parentId: patch.parent ?? (clear.has('parent') ? null : task.parentId),
    labels: editLabels(task.labels, { add: patch.add_labels, remove: patch.remove_labels, clear: clear.has('labels') }),
  };
}
