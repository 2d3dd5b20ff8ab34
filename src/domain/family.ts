import { conflict, invalid, MAX_CANDIDATES, type Refusal, sayCall } from '../errors.js';
import { groupBy } from './group-by.js';
import { archivedRefusal } from './project.js';
import { isOpenTask, MAX_DEPTH, reopenCall, type Task } from './task.js';

/** Tasks by id, including the ancestors and sub-tasks of those that matter. */
type Family = ReadonlyMap<number, Task>;

/** Names a task in a refusal. A task that does not exist yet has no number that means anything to the caller. */
export type NameTask = (id: number) => string;

const byNumber: NameTask = (id) => `#${id}`;

const indexes = new WeakMap<Family, Map<number | null, Task[]>>();

/** Returns the direct sub-tasks. Indexes each map once (some have thousands); it must not change afterwards. */
export function childrenOf(family: Family, id: number): Task[] {
  let index = indexes.get(family);
  if (!index) {
    index = groupBy(family.values(), ({ parentId }) => parentId);
    indexes.set(family, index);
  }
  return index.get(id) ?? [];
}

/** Returns the sub-tasks of a task at all levels. */
export function descendants(family: Family, id: number): Task[] {
  return childrenOf(family, id).flatMap((child) => [child, ...descendants(family, child.id)]);
}

/** Returns the ancestors of a task, nearest first. In a cycle, which a plan may contain, it is one of them itself. */
export function ancestors(family: Family, { parentId }: Pick<Task, 'parentId'>): Task[] {
  const above: Task[] = [];
  const up = (id: number | null) => (id === null ? undefined : family.get(id));
  for (let at = up(parentId); at && !above.includes(at); at = up(at.parentId)) above.push(at);
  return above;
}

/** Returns the number of levels from a task down to its deepest sub-task, itself included. */
function height(family: Family, id: number): number {
  return 1 + Math.max(0, ...childrenOf(family, id).map((child) => height(family, child.id)));
}

/** Returns a refusal if `parent` is the task with this id or one of its sub-tasks. */
export function ancestorRefusal(family: Family, id: number, parent: Task): Refusal | undefined {
  if (id === parent.id) return conflict(`#${id} cannot be its own parent.`, CHOOSE_ANOTHER);
  return descendants(family, id).some((task) => task.id === parent.id)
    ? conflict(`#${parent.id} is itself a sub-task of #${id}.`, CHOOSE_ANOTHER)
    : undefined;
}

const CHOOSE_ANOTHER = 'Choose another parent.';

/** Returns a refusal if a task and its sub-tasks are nested too deeply. A new task, without them, has no `id` yet. */
export function depthRefusal(
  family: Family,
  { id, parentId }: Pick<Task, 'parentId'> & { id?: number },
  nameTask: NameTask = byNumber,
): Refusal | undefined {
  if (parentId === null) return undefined;
  const levels = ancestors(family, { parentId }).length + (id === undefined ? 1 : height(family, id));
  return levels > MAX_DEPTH
    ? invalid(
        `Tasks can be nested at most ${MAX_DEPTH} levels deep.`,
        `Choose a parent nearer to the top than ${nameTask(parentId)}.`,
      )
    : undefined;
}

/** Returns why a task takes no new sub-task `child`, or undefined. A closed task still takes a closed one. */
export function childRefusal(parent: Task, child: Task): Refusal | undefined {
  if (parent.inArchivedProject) return archivedRefusal({ name: parent.project as string });
  if (isOpenTask(parent) || !isOpenTask(child)) return undefined;
  return conflict(
    `#${parent.id} is ${parent.status}: it takes no new sub-tasks.`,
    `Reopen it first: ${reopenCall(parent.id)}.`,
  );
}

/** Returns the open sub-tasks at all levels. */
const openBelow = (family: Family, id: number): Task[] =>
  childrenOf(family, id)
    .filter(isOpenTask)
    .flatMap((child) => [child, ...openBelow(family, child.id)]);

/** Returns why a task may not be left like this, or undefined: an open sub-task needs an open parent. */
export function openParentRefusal(after: Family, task: Task): Refusal | undefined {
  if (task.deletedAt) return undefined;
  if (isOpenTask(task)) {
    const parent = task.parentId === null ? undefined : after.get(task.parentId);
    return parent && !parent.deletedAt && !isOpenTask(parent)
      ? conflict(
          `#${task.id} is a sub-task of #${parent.id}, which is ${parent.status}.`,
          `Reopen #${parent.id} first, or in the same call.`,
        )
      : undefined;
  }
  const open = openBelow(after, task.id);
  if (open.length === 0) return undefined;
  const hint = closingHint(task, open);
  const call = sayCall('list_tasks', { parent: task.id, limit: 100 });
  return conflict(
    `#${task.id} has ${open.length} open ${open.length === 1 ? 'sub-task' : 'sub-tasks'}.`,
    open.length > MAX_CANDIDATES ? `${hint} Those directly below #${task.id}: ${call}.` : hint,
    open.map(({ id, title }) => ({ id, title })),
  );
}

/** Says how to close open sub-tasks with their parent: one that repeats, closed first, would bring the next. */
function closingHint({ id }: Task, open: Task[]): string {
  const repeating = open.filter(({ repeats }) => repeats).slice(0, MAX_CANDIDATES);
  if (repeating.length === 0)
    return 'Complete or cancel them first, or all together: complete_task and update_task take many ids.';
  const ids = repeating.map((each) => each.id);
  const end = sayCall('update_task', { ids, clear: ['repeats'] });
  const [repeat, their] = ids.length === 1 ? ['repeats', 'its'] : ['repeat', 'their'];
  return `Complete or cancel all of them together with #${id}, in one call: ${ids.map(byNumber).join(', ')} ${repeat}, and closing brings the next. Or end ${their} series first: ${end}.`;
}

/**
 * Returns a refusal if a task or one of its sub-tasks would wait for itself, at any distance: a task waits for its own
 * blockers, those of its ancestors, and its sub-tasks. Closed and deleted tasks count too, so that reopening or
 * restoring one cannot create a cycle.
 */
export function cycleRefusal(after: Family, task: Task, nameTask: NameTask = byNumber): Refusal | undefined {
  const cycle = findCycle(after, task);
  if (!cycle) return undefined;
  const [first, second] = cycle as [number, number];
  const waiter = [task, ...ancestors(after, task)].find(
    ({ id, blockedBy }) => id !== first && blockedBy.includes(first),
  );
  if (first === second && waiter)
    return conflict(
      `${nameTask(waiter.id)} already waits for its sub-task ${nameTask(first)}.`,
      'Leave the sub-task out of blocked_by, or use remove_blocked_by.', // no ids: a plan has none yet
    );
  return conflict(
    `${nameTask(first)} would wait for itself: ${sayRound(after, cycle, nameTask)}.`,
    'Leave out or remove one of these dependencies. A parent also waits for its sub-tasks, and sub-tasks wait for its blockers.',
  );
}

/** How many steps of a cycle a message shows, from its start and from its end. */
const [FIRST, LAST] = [6, 5];

function sayRound(tasks: Family, cycle: number[], nameTask: NameTask): string {
  const [first, ...others] = cycle as [number, ...number[]];
  const steps = others.map((id, i) => ` waits ${sayAbove(tasks, cycle[i] as number, id, nameTask)}for ${nameTask(id)}`);
  return `${nameTask(first)}${(steps.length <= FIRST + LAST ? steps : [...steps.slice(0, FIRST), ' …', ...steps.slice(-LAST)]).join('')}`;
}

/** Returns `with #3 ` if a task waits for `blocker` only because its ancestor #3 does, else ''. */
function sayAbove(tasks: Family, id: number, blocker: number, nameTask: NameTask): string {
  const task = tasks.get(id) as Task;
  const own = task.blockedBy.includes(blocker) || tasks.get(blocker)?.parentId === id;
  const above = own ? undefined : ancestors(tasks, task).find(({ blockedBy }) => blockedBy.includes(blocker));
  return above ? `with ${nameTask(above.id)} ` : '';
}

/**
 * Finds a cycle through a task: from it back to itself, or from one of its blockers (own or of an ancestor) to one of
 * its sub-tasks, which wait for that blocker too. The first id is the same as the last.
 */
function findCycle(tasks: Family, task: Task): number[] | undefined {
  const back = wayTo(tasks, waitsFor(tasks, task.id), new Set([task.id]));
  if (back) return [task.id, ...back];
  const parts = new Set(descendants(tasks, task.id).map(({ id }) => id));
  const to = wayTo(tasks, blockersOf(tasks, task), parts);
  return to && [to.at(-1) as number, ...to];
}

/** Finds the shortest path from one of these tasks to a wanted one, in which each task waits for the next. */
function wayTo(tasks: Family, from: number[], wanted: ReadonlySet<number>): number[] | undefined {
  const cameFrom = new Map<number, number | undefined>(from.map((id) => [id, undefined]));
  for (const [id] of cameFrom) {
    if (wanted.has(id)) return path(cameFrom, id);
    for (const next of waitsFor(tasks, id)) if (!cameFrom.has(next)) cameFrom.set(next, id);
  }
  return undefined;
}

function path(cameFrom: ReadonlyMap<number, number | undefined>, end: number): number[] {
  const way = [end];
  for (let at = cameFrom.get(end); at !== undefined; at = cameFrom.get(at)) way.unshift(at);
  return way;
}

/** Returns the ids of the tasks that a task waits for: its blockers, those of its ancestors, and its sub-tasks. */
function waitsFor(tasks: Family, id: number): number[] {
  const task = tasks.get(id);
  return task ? [...blockersOf(tasks, task), ...childrenOf(tasks, id).map((child) => child.id)] : [];
}

const blockersOf = (tasks: Family, task: Task): number[] =>
  [task, ...ancestors(tasks, task)].flatMap(({ blockedBy }) => blockedBy);
