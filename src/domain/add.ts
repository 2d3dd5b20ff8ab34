import type { UserTx } from '../db/scope.js';
import { invalid, Refusal, type RefusalBody } from '../errors.js';
import { childRefusal, cycleRefusal, depthRefusal } from './family.js';
import { type Gathered, gather } from './gather.js';
import { allRefused } from './judge.js';
import { uniqueLabels } from './labels.js';
import { namesakes, similarTasks } from './lists/search.js';
import { nameKey, type SimilarName, similarNewNames } from './names.js';
import { rankOf } from './order.js';
import { patchDates } from './patch-dates.js';
import { chooseProject, type Home } from './project.js';
import type { ProjectEdit } from './record.js';
import { applyEdits, settle } from './settle.js';
import {
  absenceRefusal,
  closedAmong,
  newTaskDefaults,
  type Priority,
  type Task,
  type Titled,
  uniqueBlockers,
} from './task.js';
import type { WriteCommand, WriteContext } from './write.js';

/** A task to create. It refers to other tasks by id, or in a plan also by ref. */
export interface NewTask<Name = number> {
  title: string;
  description?: string | undefined;
  priority?: Priority | undefined;
  due?: string | undefined;
  start?: string | undefined;
  repeats?: string | undefined;
  estimate_minutes?: number | undefined;
  project?: string | undefined;
  labels?: string[] | undefined;
  parent?: Name | undefined;
  blocked_by?: Name[] | undefined;
}

/** A task of a plan; `ref` is the name by which other tasks of the plan refer to it. */
export interface PlannedTask extends NewTask<number | string> {
  ref?: string | undefined;
}

export interface Added {
  tasks: Task[];
  /** Only for a plan: the refs of its tasks, by task id. */
  refs?: Map<number, string>;
  /** Open tasks that may be duplicates; for a plan, only those with the same titles. */
  similar: Titled[];
  /** New project and label names that are spelled almost like existing ones. */
  similarNames: SimilarName[];
  /** Tasks that were named as blockers although they are closed. */
  closedBlockers: Task[];
}

/** Adds one task. Creates its project if there is none of that name. Without one, a sub-task takes its parent's. */
export function addTask(input: NewTask): WriteCommand<Gathered & Pick<Added, 'similar'>, Added> {
  return {
    async read(tx) {
      const [gathered, similar] = await Promise.all([gatherFor(tx, [input]), similarTasks(tx, input.title)]);
      return { ...gathered, similar };
    },
    decide(state, context) {
      const { created, ...decision } = createTasks([input], state, context);
      return { ...decision, outcome: { ...created, similar: state.similar } };
    },
  };
}

/**
 * Adds a plan: tasks that may refer to each other as parents and blockers. Adds all of them, or none.
 *
 * @throws Refusal `invalid` for a ref that is given twice or is unknown
 */
export function addTasks(inputs: PlannedTask[]): WriteCommand<Gathered & Pick<Added, 'similar'>, Added> {
  const refs = new Map<string, number>();
  for (const [i, { ref }] of inputs.entries()) {
    if (ref === undefined) continue;
    if (refs.has(ref)) throw invalid(`tasks: the ref "${ref}" is given twice.`, 'Give each task its own ref.');
    refs.set(ref, i);
  }
  /** Maps a ref to −1 − its index in the plan, which cannot be the id of an existing task. */
  const resolve = (name: number | string, i: number): number => {
    if (typeof name === 'number') return name;
    const place = refs.get(name);
    if (place === undefined)
      throw invalid(
        `tasks[${i}]: no task of this plan has the ref "${name}".`,
        'Use refs of this plan or ids of existing tasks.',
      );
    return -1 - place;
  };
  const resolved = inputs.map((input, i) => ({
    ...input,
    parent: input.parent === undefined ? undefined : resolve(input.parent, i),
    blocked_by: input.blocked_by?.map((name) => resolve(name, i)),
  }));
  return {
    async read(tx) {
      const titles = inputs.map(({ title }) => title);
      const [gathered, similar] = await Promise.all([gatherFor(tx, resolved), namesakes(tx, titles)]);
      return { ...gathered, similar };
    },
    decide(state, context) {
      const { created, ...decision } = createTasks(resolved, state, context);
      const named = new Map([...refs].map(([ref, place]) => [context.nextTask + place, ref]));
      return { ...decision, outcome: { ...created, refs: named, similar: state.similar } };
    },
  };
}

const existing = (id: number | undefined): id is number => id !== undefined && id > 0;

/** Ids of the existing tasks that a new one refers to. */
const namedBy = ({ blocked_by = [], parent }: NewTask): number[] => [...blocked_by, parent].filter(existing);

function gatherFor(tx: UserTx, inputs: NewTask[]): Promise<Gathered> {
  const parents = inputs.map((input) => input.parent).filter(existing);
  const names = inputs.flatMap((input) => input.project ?? []);
  return gather(tx, {
    ids: [...new Set(inputs.flatMap(namedBy))],
    parents: parents.length > 0,
    waits: inputs.flatMap((input) => input.blocked_by ?? []), // refs too: they also load what the parents wait for
    projects: names.length > 0 ? { names: [...new Set(names)] } : undefined,
    labels: inputs.flatMap((input) => input.labels ?? []),
  });
}

/** Creates the tasks and the projects they name. A negative id −n refers to the n-th task of this call. */
function createTasks(inputs: NewTask[], state: Gathered, context: WriteContext) {
  /** Says which task of a plan a refusal is about. */
  const inPlan = (i: number, { body }: Refusal) =>
    inputs.length > 1
      ? new Refusal({ ...body, message: `tasks[${i}] "${inputs[i]?.title}": ${body.message}` })
      : new Refusal(body);
  // Checked before any is created: an id must be that of an existing task, not one that this call is about to assign.
  for (const [i, input] of inputs.entries()) {
    const missing = namedBy(input)
      .map((id) => absenceRefusal(state.tasks, id))
      .find(Boolean);
    if (missing) throw inPlan(i, missing);
  }

  const { tasks, projects } = buildTasks(inputs, state, context, inPlan);
  const all = new Map([...state.tasks, ...tasks.map((task) => [task.id, task] as const)]);
  const nameTask = (id: number) => (id < context.nextTask ? `#${id}` : `"${inputs[id - context.nextTask]?.title}"`);
  const rules = [
    (task: Task) => cycleRefusal(all, task, nameTask),
    (task: Task) => {
      const parent = task.parentId === null ? undefined : all.get(task.parentId);
      return parent && (childRefusal(parent, task) ?? depthRefusal(all, { parentId: parent.id }, nameTask));
    },
  ];
  for (const rule of rules)
    for (const [i, task] of tasks.entries()) {
      const refusal = rule(task);
      if (refusal) throw inPlan(i, refusal);
    }
  const placed = tasks.map((task) => (task.projectId === null ? { ...task, ...inherited(all, task, context) } : task));

  const result = settle(
    state.tasks,
    placed.map((after) => ({ after })),
    context,
  );
  const now = applyEdits(state.tasks, result);
  const names = projects.map(({ after }) => after.name);
  const labels = inputs.flatMap((input) => input.labels ?? []);
  return {
    ...result,
    projects,
    created: {
      tasks: tasks.map(({ id }) => now.get(id) as Task),
      similarNames: similarNewNames({ projects: names, labels }, state),
      closedBlockers: closedAmong(
        inputs.flatMap(({ blocked_by = [] }) => blocked_by),
        state.tasks,
      ),
    },
  };
}

/**
 * Builds the tasks, in the order of the inputs, and the projects that they name for the first time.
 *
 * @throws Refusal for all dates that cannot be read, projects that are archived and the like, of all tasks together
 */
function buildTasks(
  inputs: NewTask[],
  state: Gathered,
  context: WriteContext,
  inPlan: (i: number, refusal: Refusal) => Refusal,
): { tasks: Task[]; projects: ProjectEdit[] } {
  const idOf = (name: number) => (name < 0 ? context.nextTask - 1 - name : name);
  const projects: ProjectEdit[] = [];
  const projectNamed = (name: string) =>
    projects.find(({ after }) => nameKey(after.name) === nameKey(name))?.after ?? state.projectNamed(name);
  const refusals: RefusalBody[] = [];
  const tasks = inputs.flatMap((input, i) => {
    try {
      const nextProject = context.nextProject + projects.length;
      const { home, newProjects } = chooseProject(input.project, { projectNamed }, { nextProject });
      projects.push(...newProjects);
      return [newTask(context.nextTask + i, input, home, idOf, context)];
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refusals.push(inPlan(i, error).body);
      return [];
    }
  });
  if (refusals.length > 0) throw allRefused(refusals);
  return { tasks, projects };
}

/** Returns the project of a new task without its own: that of its parent, which may be new too and have none yet. */
function inherited(
  tasks: ReadonlyMap<number, Task>,
  task: Task,
  { nextTask }: Pick<WriteContext, 'nextTask'>,
): Pick<Task, 'projectId' | 'project'> {
  const parent = task.parentId === null ? undefined : tasks.get(task.parentId);
  if (!parent) return { projectId: null, project: null };
  if (parent.projectId === null && parent.id >= nextTask) return inherited(tasks, parent, { nextTask });
  return { projectId: parent.projectId, project: parent.project };
}

function newTask(
  id: number,
  input: NewTask,
  home: Home | undefined,
  idOf: (name: number) => number,
  context: WriteContext,
): Task {
  return {
    id,
    title: input.title,
    description: input.description ?? null,
    status: 'pending',
    priority: input.priority ?? null,
    ...patchDates({ due: null, start: null, repeats: null }, input, context),
    estimateMinutes: input.estimate_minutes ?? null,
    projectId: home?.id ?? null,
    project: home?.name ?? null,
    inArchivedProject: false,
    parentId: input.parent === undefined ? null : idOf(input.parent),
    series: null,
    rank: rankOf(id),
    labels: uniqueLabels(input.labels ?? []),
    blockedBy: uniqueBlockers(input.blocked_by?.map(idOf) ?? []),
    ...newTaskDefaults(context),
  };
}
