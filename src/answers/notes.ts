import { dueSort, sayToday, sayUntil, startSort } from '../domain/dates/when.js';
import { type SimilarName, titleKey } from '../domain/names.js';
import { reopenInstead } from '../domain/recurrence/series.js';
import { isOpenTask, type Task } from '../domain/task.js';
import type { Outcome } from '../domain/update.js';
import { sayCall } from '../errors.js';
import type { RenderContext } from './shapes.js';

/** How many tasks a note names. */
const NOTED = 20;

/** How many notes of one kind are said. */
const SAID = 5;

const numbersOf = (tasks: Task[]) =>
  [
    ...tasks.slice(0, NOTED).map(({ id }) => `#${id}`),
    ...(tasks.length > NOTED ? [`and ${tasks.length - NOTED} more`] : []),
  ].join(', ');

/**
 * Dates that were just given and are taken as they are, but may be a slip: a model easily writes the year that it was
 * trained in.
 *
 * @param before those that are not new, as they were
 */
export function doubtsOf(
  tasks: Task[],
  { now, timezone }: RenderContext,
  before?: ReadonlyMap<number, Task>,
): string[] {
  const given = (each: Task, field: 'due' | 'start') => each[field] !== (before?.get(each.id)?.[field] ?? null);
  const open = tasks.filter((each) => isOpenTask(each) && (!before || before.has(each.id)));
  const past = open.filter((each) => given(each, 'due') && dueSort(each.due, timezone) < each.updatedAt.toISOString());
  const late = open.filter(
    (each) =>
      (given(each, 'due') || given(each, 'start')) && startSort(each.start, timezone) > dueSort(each.due, timezone),
  );
  return [
    ...(past.length > 0 ? [`Due in the past: ${numbersOf(past)}; today is ${sayToday(now, timezone)}.`] : []),
    ...(late.length > 0 ? [`Starts after it is due: ${numbersOf(late)}.`] : []),
  ];
}

/** Who gives the number of a claim that has run out writes on, but another may claim the task at any moment. */
export const lapsedNotes = (lapsed: Task[], { now, timezone }: RenderContext): string[] =>
  lapsed.map(({ id, claim, claimedUntil }) => {
    const since = claimedUntil ? ` at ${sayUntil(claimedUntil, now, timezone)}` : '';
    return `Your claim on #${id} ran out${since}. To have it again: ${sayCall('claim_task', { id, claim })}.`;
  });

/** Where a series has come to its end, and not because somebody ended it. */
export const lastNotes = (last: Task[]): string[] =>
  last.length === 0
    ? []
    : [`${numbersOf(last)} ${last.length === 1 ? 'was the last of its' : 'were the last of their'} series.`];

/** What came out of the trash into a project that lists leave out. */
export function archivedProjectNotes(tasks: Task[], before: ReadonlyMap<number, Task>): string[] {
  const [first] = tasks.filter((each) => before.get(each.id)?.deletedAt && !each.deletedAt && each.inArchivedProject);
  return first ? [`+${first.project} is archived: lists leave out what is in it.`] : [];
}

/** What was completed though it waits for others: perhaps they are done too. */
export const completedEarly = (tasks: Task[], before: ReadonlyMap<number, Task>): string[] =>
  tasks
    .filter(
      ({ id, status, waitsFor }) => status === 'completed' && before.get(id)?.status !== status && waitsFor.length > 0,
    )
    .slice(0, SAID)
    .map(({ id, waitsFor }) => {
      const open = waitsFor.slice(0, NOTED).map((each) => `#${each}`);
      return `#${id} waits for ${open.join(', ')}, still open.`;
    });

const MARKS = { project: '+', label: '@' };

/** Names that were given and are new, but may be a slip too. */
export const similarNameNotes = (kin: SimilarName[]): string[] =>
  kin.slice(0, SAID).map(({ of, name, alike }) => {
    const mark = MARKS[of];
    return `${mark}${name} is new; there is also ${alike.map((other) => mark + other).join(', ')}.`;
  });

/** Tasks of one plan that have the same title, project and parent. */
export function twinNotes(tasks: Task[]): string[] {
  const alike = new Map<string, Task[]>();
  for (const each of tasks) {
    const key = JSON.stringify([titleKey(each.title), each.projectId, each.parentId]);
    alike.set(key, [...(alike.get(key) ?? []), each]);
  }
  const twins = [...alike.values()].filter((each) => each.length > 1);
  return twins.slice(0, SAID).map((each) => `${numbersOf(each)} have the same title.`);
}

/** What came out of the trash from below something that did not. */
export const orphanNotes = (orphans: Outcome['orphans']): string[] =>
  orphans.slice(0, SAID).map(([{ id }, children]) => {
    const [are, them] = children.length === 1 ? ['is', 'it'] : ['are', 'them'];
    return `${numbersOf(children)} ${are} part of #${id}, still in the trash: restore that too, or clear the parent of ${them}.`;
  });

/** What was opened may be meant to take the place of what follows it, which is open too. */
export const alsoOpenNotes = (doubled: Outcome['alsoOpen']): string[] =>
  doubled
    .slice(0, SAID)
    .map(([task, next]) => `#${next.id} is of the same series and open too. ${reopenInstead(task, next)}`);

/** A rule that was given to what is over does nothing. */
export const idleNotes = (tasks: Task[]): string[] =>
  tasks
    .filter((each) => each.repeats && !isOpenTask(each) && !each.deletedAt)
    .slice(0, SAID)
    .map(({ id, status }) => `#${id} is ${status}: it repeats only once it is open again.`);

/** Who cancels a task that repeats may mean all that are to come. */
export function endingNotes(next: Task[], parts: Task[]): string[] {
  if (next.length === 0) return [];
  const [come, series] = next.length === 1 ? ['comes', 'the series'] : ['come', 'these series'];
  const call = sayCall('update_task', {
    ids: [...next, ...parts].map(({ id }) => id),
    status: 'cancelled',
    clear: ['repeats'],
  });
  return [`${numbersOf(next)} ${come} next. To end ${series}: ${call}.`];
}

/** What waits again, for what was opened or brought back. */
export const blockedNotes = (blocked: Task[]): string[] =>
  blocked.length === 0 ? [] : [`${numbersOf(blocked)} ${blocked.length === 1 ? 'is' : 'are'} blocked again.`];
