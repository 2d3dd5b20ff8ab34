import { conflict } from '../errors.js';
import { refuseParent } from './family.js';
import { type Gathered, gather } from './gather.js';
import { uniqueLabels } from './labels.js';
import { inTrash, isOpenTask, noTask, type Priority, type Task } from './task.js';
import { parseWhen } from './when.js';
import type { Change, Moment, NewProject } from './write.js';

export interface NewTask {
  title: string;
  description?: string | undefined;
  priority?: Priority | undefined;
  due?: string | undefined;
  start?: string | undefined;
  estimate_minutes?: number | undefined;
  project?: string | undefined;
  labels?: string[] | undefined;
  parent?: number | undefined;
}

/** Adds one task; its project is created by naming it. A sub-task without a project takes its parent's. */
export function addTask(input: NewTask): Change<Gathered, Task> {
  const ids = input.parent === undefined ? [] : [input.parent];
  return {
    read: (tx) => gather(tx, { ids, family: ids.length > 0, project: input.project }),
    decide(state, moment) {
      const parent = parentOf(input, state);
      const { project, newProjects } = chooseProject(input.project, state, moment);
      const home = project ?? (parent?.projectId ? { id: parent.projectId, name: parent.project } : undefined);
      const task: Task = {
        id: moment.nextTask,
        title: input.title,
        description: input.description ?? null,
        status: 'pending',
        priority: input.priority ?? null,
        due: input.due ? parseWhen(input.due, moment, 'due') : null,
        start: input.start ? parseWhen(input.start, moment, 'start') : null,
        estimateMinutes: input.estimate_minutes ?? null,
        projectId: home?.id ?? null,
        project: home?.name ?? null,
        parentId: parent?.id ?? null,
        labels: uniqueLabels(input.labels ?? []),
        version: 1,
        createdAt: moment.now,
        createdBy: moment.by,
        updatedAt: moment.now,
        updatedBy: moment.by,
        completedAt: null,
        deletedAt: null,
      };
      return { edits: [{ before: null, after: task }], newProjects, outcome: task };
    },
  };
}

function parentOf(input: NewTask, state: Gathered): Task | undefined {
  if (input.parent === undefined) return undefined;
  const parent = state.tasks.get(input.parent);
  if (!parent) throw noTask(input.parent);
  if (parent.deletedAt) throw inTrash(parent);
  if (!isOpenTask(parent))
    throw conflict(
      `#${parent.id} is ${parent.status}: it takes no new sub-tasks.`,
      `Reopen it first: update_task {"ids": [${parent.id}], "status": "pending"}.`,
    );
  const refusal = refuseParent(state.tasks, parent);
  if (refusal) throw refusal;
  return parent;
}

/** The project of that name: the one there is, or a new one. */
export function chooseProject(
  name: string | undefined,
  state: Gathered,
  moment: Moment,
): { project?: NewProject; newProjects: NewProject[] } {
  if (name === undefined) return { newProjects: [] };
  if (state.project) return { project: state.project, newProjects: [] };
  const project = { id: moment.nextProject, name };
  return { project, newProjects: [project] };
}
