import type { UserTx } from '../db/scope.js';
import { invalid, Refusal, type RefusalBody } from '../errors.js';
import { times } from './dates/patch-dates.js';
import { childRefusal, circleRefusal, parentRefusal } from './family.js';
import { type Gathered, gather } from './gather.js';
import { allRefused } from './judge.js';
import { uniqueLabels } from './labels.js';
import { namesakes, similarTasks } from './lists/search.js';
import { nameKey, type SimilarName, similarNames } from './names.js';
import { rankOf } from './order.js';
import { chooseProject } from './project.js';
import type { ProjectEdit } from './record.js';
import { settle, settled } from './settle.js';
import { absence, type Priority, type Task, uniqueBlockers, unwritten } from './task.js';
import type { WriteCommand, WriteContext } from './write.js';

/** A task to be made. Others are named by their ids, or in a plan by their refs. */
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

/** A task of a plan, and the name by which others of the plan refer to it. */
export interface PlannedTask extends NewTask<number | string> {
  ref?: string | undefined;
}

export interface Added {
  tasks: Task[];
  /** Of a plan, the refs by which its tasks named each other, by id. */
  refs?: Map<number, string>;
  /** Open tasks that may be the same; of a plan, those of the same titles. */
  similar: { id: number; title: string }[];
  /** What is new of their projects and labels, and written almost like another. */
  kin: SimilarName[];
}

/** Adds one task; its project is created by naming it. A sub-task without a project takes its parent's. */
export function addTask(input: NewTask): WriteCommand<Gathered & Pick<Added, 'similar'>, Added> {
  return {
    async read(tx) {
      const [gathered, similar] = await Promise.all([gatherFor(tx, [input]), similarTasks(tx, input.title)]);
      return { ...gathered, similar };
    },
    decide(state, moment) {
      const { tasks, kin, ...decision } = make([input], state, moment);
      return { ...decision, outcome: { tasks, similar: state.similar, kin } };
    },
  };
}

/** Adds a plan: tasks that may name each other as parents and blockers. All of them, or none. */
export function addTasks(inputs: PlannedTask[]): WriteCommand<Gathered & Pick<Added, 'similar'>, Added> {
  const refs = new Map<string, number>();
  for (const [i, { ref }] of inputs.entries()) {
    if (ref === undefined) continue;
    if (refs.has(ref)) throw invalid(`tasks: the ref "${ref}" is given twice.`, 'Give each task a ref of its own.');
    refs.set(ref, i);
  }
  /** Those of the plan are counted down from −1, so that no task that is there can be meant. */
  const resolve = (name: number | string, i: number): number => {
    if (typeof name === 'number') return name;
    const place = refs.get(name);
    if (place === undefined)
      throw invalid(
        `tasks[${i}]: no task of this plan has the ref "${name}".`,
        'Name refs of this plan, or ids of tasks that there are.',
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
    decide(state, moment) {
      const { tasks, kin, ...decision } = make(resolved, state, moment);
      const named = new Map([...refs].map(([ref, place]) => [moment.nextTask + place, ref]));
      return { ...decision, outcome: { tasks, refs: named, similar: state.similar, kin } };
    },
  };
}

const existing = (id: number | undefined): id is number => id !== undefined && id > 0;

/** The tasks that a new one names, but for those that are made with it. */
const namedBy = ({ blocked_by = [], parent }: NewTask): number[] => [...blocked_by, parent].filter(existing);

function gatherFor(tx: UserTx, inputs: NewTask[]): Promise<Gathered> {
  const parents = inputs.map((input) => input.parent).filter(existing);
  const names = inputs.flatMap((input) => input.project ?? []);
  return gather(tx, {
    ids: [...new Set(inputs.flatMap(namedBy))],
    parents: parents.length > 0,
    waits: inputs.flatMap((input) => input.blocked_by ?? []), // the new ones too: what those are part of may wait
    projects: names.length > 0 ? { names: [...new Set(names)] } : undefined,
    labels: inputs.flatMap((input) => input.labels ?? []),
  });
}

/** Makes tasks of what is asked for. Who is named with a negative number is the so-manieth of them. */
function make(inputs: NewTask[], state: Gathered, moment: WriteContext) {
  const idOf = (name: number) => (name < 0 ? moment.nextTask - 1 - name : name);
  const many = inputs.length > 1;
  const projects: ProjectEdit[] = [];
  const tasks = new Map<number, Task>();
  const titled = (i: number) => inputs[i] && `"${inputs[i].title}"`;
  /** What is wrong with one of many says which one it is. */
  const refused = (i: number, { body }: Refusal, message = body.message) =>
    new Refusal({ ...body, message: many ? `tasks[${i}] ${titled(i)}: ${message}` : message });
  /** Calls those that are not there yet by their titles. */
  const each = <T>(i: number, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const call = (number: string, id: string) => titled(Number(id) - moment.nextTask) ?? number;
      const named = (text: string) => text.replace(/#(\d+)/g, call);
      const { message, hint, ...rest } = error.body;
      throw refused(
        i,
        new Refusal({ ...rest, message: named(message), ...(hint !== undefined && { hint: named(hint) }) }),
      );
    }
  };

  /** What is wrong with the dates of many is said at once. */
  const attempt = (refusals: RefusalBody[], i: number, work: () => void) => {
    try {
      each(i, work);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refusals.push(error.body);
    }
  };

  // Before any is made, for an id is that of a task which is there, not of one that this call happens to make.
  for (const [i, input] of inputs.entries()) {
    const missing = namedBy(input)
      .map((id) => absence(state.tasks, id))
      .find(Boolean);
    if (missing) throw refused(i, missing);
  }

  const refusals: RefusalBody[] = [];
  for (const [i, input] of inputs.entries())
    attempt(refusals, i, () => {
      const id = moment.nextTask + i;
      const made = {
        named: (name: string) =>
          projects.find((p) => nameKey(p.after.name) === nameKey(name))?.after ?? state.named(name),
      };
      const { home, newProjects } = chooseProject(input.project, made, {
        nextProject: moment.nextProject + projects.length,
      });
      projects.push(...newProjects);
      tasks.set(id, newTask(id, input, home, idOf, moment));
    });
  if (refusals.length > 0) throw allRefused(refusals);

  const all = new Map([...state.tasks, ...tasks]);
  const check = (judge: (task: Task) => Refusal | undefined) => {
    for (const [i, task] of [...tasks.values()].entries())
      each(i, () => {
        const refusal = judge(task);
        if (refusal) throw refusal;
      });
  };
  check((task) => circleRefusal(all, task));
  check((task) => {
    const parent = task.parentId === null ? undefined : all.get(task.parentId);
    return parent && (childRefusal(parent, task) ?? parentRefusal(all, parent));
  });
  for (const task of tasks.values()) if (task.projectId === null) Object.assign(task, inherited(all, task));

  const result = settle(
    state.tasks,
    [...tasks.values()].map((after) => ({ after })),
    moment,
  );
  const now = settled(state.tasks, result);
  const names = projects.map(({ after }) => after.name);
  const labels = inputs.flatMap((input) => input.labels ?? []);
  return {
    ...result,
    projects,
    tasks: [...tasks.keys()].map((id) => now.get(id) as Task),
    kin: [...similarNames('project', names, state.projectNames), ...similarNames('label', labels, state.labelNames)],
  };
}

/** A sub-task without a project of its own is in that of its nearest parent that has one. */
function inherited(tasks: ReadonlyMap<number, Task>, task: Task): Pick<Task, 'projectId' | 'project'> {
  const parent = task.parentId === null ? undefined : tasks.get(task.parentId);
  if (!parent) return { projectId: null, project: null };
  return parent.projectId === null
    ? inherited(tasks, parent)
    : { projectId: parent.projectId, project: parent.project };
}

function newTask(
  id: number,
  input: NewTask,
  home: { id: number; name: string } | undefined,
  idOf: (name: number) => number,
  moment: WriteContext,
): Task {
  return {
    id,
    title: input.title,
    description: input.description ?? null,
    status: 'pending',
    priority: input.priority ?? null,
    ...times({ due: null, start: null, repeats: null }, input, moment),
    estimateMinutes: input.estimate_minutes ?? null,
    projectId: home?.id ?? null,
    project: home?.name ?? null,
    inArchivedProject: false,
    parentId: input.parent === undefined ? null : idOf(input.parent),
    series: null,
    rank: rankOf(id),
    labels: uniqueLabels(input.labels ?? []),
    blockedBy: uniqueBlockers(input.blocked_by?.map(idOf) ?? []),
    ...unwritten(moment),
  };
}
