import { conflict, invalid, type Refusal } from '../errors.js';
import { archived } from './project.js';
import { isOpenTask, MAX_DEPTH, openingCall, type Task } from './task.js';

/** Tasks by id, with the parents' chains and the sub-tasks of those that matter. */
type Family = ReadonlyMap<number, Task>;

const indexes = new WeakMap<Family, Map<number | null, Task[]>>();

/** Indexed once for each family, for some have thousands. A family does not change once it is asked about. */
export function childrenOf(family: Family, id: number): Task[] {
  let index = indexes.get(family);
  if (!index) {
    index = new Map();
    for (const task of family.values()) {
      const children = index.get(task.parentId);
      if (children) children.push(task);
      else index.set(task.parentId, [task]);
    }
    indexes.set(family, index);
  }
  return index.get(id) ?? [];
}

/** All sub-tasks below a task, itself left out. */
export function descendants(family: Family, id: number): Task[] {
  return childrenOf(family, id).flatMap((child) => [child, ...descendants(family, child.id)]);
}

/** The tasks above one, the nearest first. In a plan that is refused, it may be one of them itself. */
export function ancestors(family: Family, { parentId }: Task): Task[] {
  const above: Task[] = [];
  const up = (id: number | null) => (id === null ? undefined : family.get(id));
  for (let at = up(parentId); at && !above.includes(at); at = up(at.parentId)) above.push(at);
  return above;
}

/** Levels from a task down to its deepest sub-task, itself included. */
function height(family: Family, id: number): number {
  return 1 + Math.max(0, ...childrenOf(family, id).map((child) => height(family, child.id)));
}

/** Why a task may not become a sub-task of another, if it may not. A new task has no id yet. */
export function parentRefusal(family: Family, parent: Task, id?: number): Refusal | undefined {
  if (id !== undefined && (id === parent.id || descendants(family, id).some((task) => task.id === parent.id)))
    return conflict(
      id === parent.id ? `#${id} cannot be part of itself.` : `#${parent.id} is itself a sub-task of #${id}.`,
      'Choose another parent.',
    );
  if (1 + ancestors(family, parent).length + (id === undefined ? 1 : height(family, id)) > MAX_DEPTH)
    return invalid(
      `Sub-tasks nest ${MAX_DEPTH} levels at most.`,
      `Choose a parent nearer to the top than #${parent.id}.`,
    );
  return undefined;
}

/** Why a task takes no other as a new sub-task, if it does not. One that is closed still takes what is closed too. */
export function childRefusal(parent: Task, child: Task): Refusal | undefined {
  if (parent.inArchivedProject) return archived({ name: parent.project as string });
  if (isOpenTask(parent) || !isOpenTask(child)) return undefined;
  return conflict(
    `#${parent.id} is ${parent.status}: it takes no new sub-tasks.`,
    `Reopen it first: ${openingCall(parent.id)}.`,
  );
}

/** Open sub-tasks, theirs, and so on. */
const openBelow = (family: Family, id: number): Task[] =>
  childrenOf(family, id)
    .filter(isOpenTask)
    .flatMap((child) => [child, ...openBelow(family, child.id)]);

/** How many open sub-tasks are named where they are in the way. */
const OFFERED = 20;

/** Why a family may not be left like this, if it may not: an open sub-task needs an open parent. */
export function orphansRefusal(after: Family, task: Task): Refusal | undefined {
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
  return open.length === 0
    ? undefined
    : conflict(
        `#${task.id} has ${open.length} open ${open.length === 1 ? 'sub-task' : 'sub-tasks'}.`,
        'Complete or cancel them first, or all together: complete_task and update_task take many ids.',
        open.slice(0, OFFERED).map(({ id, title }) => ({ id, title })),
      );
}

/**
 * Why a task may not be left as it is, if it or a part of it would end up waiting for itself: for what blocks it or
 * what it is part of, and for its sub-tasks, at any distance. What is closed or in the trash counts too, so that nothing
 * can come back into a circle.
 */
export function circleRefusal(after: Family, task: Task): Refusal | undefined {
  const round = circle(after, task);
  if (!round) return undefined;
  const [first, second] = round as [number, number];
  const whole = [task, ...ancestors(after, task)].find(
    ({ id, blockedBy }) => id !== first && blockedBy.includes(first),
  );
  if (first === second && whole)
    return conflict(
      `#${whole.id} waits for its sub-task #${first} anyway.`,
      'Leave that out of what it is blocked by, or remove it from there.', // no numbers: a plan has none yet
    );
  return conflict(
    `#${first} would wait for itself: ${sayRound(after, round)}.`,
    'Leave out one of these dependencies, or remove one. A parent waits for its sub-tasks, too, and they for what blocks it.',
  );
}

/** How many steps of a circle are said, at its beginning and at its end. */
const [FIRST, LAST] = [6, 5];

function sayRound(tasks: Family, round: number[]): string {
  const steps = round.slice(1).map((id, i) => ` waits ${sayAbove(tasks, round[i] as number, id)}for #${id}`);
  return `#${round[0]}${(steps.length <= FIRST + LAST ? steps : [...steps.slice(0, FIRST), ' …', ...steps.slice(-LAST)]).join('')}`;
}

/** With which task above it a task waits for another, where it does so for being part of that. */
function sayAbove(tasks: Family, id: number, blocker: number): string {
  const task = tasks.get(id) as Task;
  const own = task.blockedBy.includes(blocker) || tasks.get(blocker)?.parentId === id;
  const above = own ? undefined : ancestors(tasks, task).find(({ blockedBy }) => blockedBy.includes(blocker));
  return above ? `with #${above.id} ` : '';
}

/**
 * A circle that a task and what it is part of could have made: from the task back to it, or from what it waits for to
 * one of its parts, which wait with it. The first is the last.
 */
function circle(tasks: Family, task: Task): number[] | undefined {
  const back = wayTo(tasks, waitsFor(tasks, task.id), new Set([task.id]));
  if (back) return [task.id, ...back];
  const parts = new Set(descendants(tasks, task.id).map(({ id }) => id));
  const to = wayTo(tasks, blockersOf(tasks, task), parts);
  return to && [to.at(-1) as number, ...to];
}

/** The way from one of these to one of those that are looked for, each of it waiting for the next. */
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

/** What has to be done before a task is: what blocks it or what it is part of, and its own parts. */
function waitsFor(tasks: Family, id: number): number[] {
  const task = tasks.get(id);
  return task ? [...blockersOf(tasks, task), ...childrenOf(tasks, id).map((child) => child.id)] : [];
}

const blockersOf = (tasks: Family, task: Task): number[] =>
  [task, ...ancestors(tasks, task)].flatMap(({ blockedBy }) => blockedBy);
