import { isDeepStrictEqual } from 'node:util';
import { dueSort, sayToday, sayUntil, sayWhen, startSort } from '../domain/dates/clock.js';
import { groupBy } from '../domain/group-by.js';
import { holderOf } from '../domain/lease.js';
import { capped } from '../domain/lists/list.js';
import { MAX_NAMESAKES } from '../domain/lists/search.js';
import { type SimilarName, titleKey } from '../domain/names.js';
import type { Outcome } from '../domain/outcome.js';
import { sayRest } from '../domain/recurrence/follow-series.js';
import { sayRepeat } from '../domain/recurrence/say-rule.js';
import { isOpenTask, type Task } from '../domain/task.js';
import type { Undone } from '../domain/undo/undo.js';
import { sayCall } from '../errors.js';
import { MAX_NAMED, numbers } from './groups.js';
import { counted, type RenderContext, tasksWord } from './shapes.js';

/** Maximum number of notes of one kind. */
const MAX_NOTES = 5;

/** Keeps the first notes of one kind, and says how many more there are. */
const firstNotes = (notes: string[], most = MAX_NOTES): string[] =>
  notes.length > most ? [...notes.slice(0, most), `And ${notes.length - most} more like that.`] : notes;

const numbersOf = (tasks: Task[]) => numbers(tasks.map(({ id }) => id));

/**
 * Notes dates just given that were accepted but may be mistakes: due in the past, or start after due. Models easily
 * write the year they were trained in.
 *
 * @param before the previous states of updated tasks; leave out for new ones
 */
export function suspectDateNotes(tasks: Task[], context: RenderContext, before?: ReadonlyMap<number, Task>): string[] {
  const { timezone } = context;
  const given = (task: Task, field: 'due' | 'start') => task[field] !== (before?.get(task.id)?.[field] ?? null);
  const open = tasks.filter((task) => isOpenTask(task) && (!before || before.has(task.id)));
  const past = open.filter((task) => given(task, 'due') && dueSort(task.due, timezone) < task.updatedAt.toISOString());
  const late = open.filter(
    (task) =>
      (given(task, 'due') || given(task, 'start')) && startSort(task.start, timezone) > dueSort(task.due, timezone),
  );
  return [
    ...(past.length > 0 ? [`Due in the past: ${numbersOf(past)}; today is ${sayToday(context)}.`] : []),
    ...(late.length > 0 ? [`Starts after it is due: ${numbersOf(late)}.`] : []),
  ];
}

/** Notes claims, as they were, that someone other than their holder ended. */
const endedClaimNotes = (ended: Task[], context: RenderContext): string[] =>
  firstNotes(
    ended.map((each) => `Ended the claim on #${each.id}, held by ${holderOf(each, context)}.`),
    MAX_NAMED,
  );

/** Notes tasks that were to be released although nobody had claimed them. */
const unclaimedNotes = (unclaimed: Task[]): string[] => unclaimed.map(({ id }) => `Nobody had claimed #${id}.`);

/** Notes expired claims. Writes that give the claim number still succeed, but others can claim the task at any time. */
export const lapsedNotes = (lapsed: Task[], context: RenderContext): string[] =>
  lapsed.map(({ id, claim, claimedUntil }) => {
    const since = claimedUntil ? ` at ${sayUntil(claimedUntil, context)}` : '';
    return `Your claim on #${id} expired${since}. To renew it: ${sayCall('claim_task', { id, claim })}.`;
  });

/** Notes dates of a series with an end that were past already. */
const skippedNotes = (skipped: Outcome['skipped']): string[] =>
  firstNotes(
    skipped.map(
      ([{ id }, count]) =>
        `${counted(count, 'date')} of the series after #${id} ${count === 1 ? 'was' : 'were'} past and skipped.`,
    ),
  );

/** Notes series that ended because their rule has no further occurrence. */
const lastNotes = (last: Task[]): string[] =>
  last.length === 0
    ? []
    : [`${numbersOf(last)} ${last.length === 1 ? 'was the last of its' : 'were the last of their'} series.`];

/** Notes series that ended because their task was closed together with the one above it. */
const endedWithParentNotes = (ended: Task[]): string[] =>
  firstNotes(
    ended.map(({ id, parentId, repeats }) => {
      const rule = repeats && sayRepeat(repeats);
      return `Closing #${parentId} ended the series of #${id} (${rule}); reopened with #${parentId}, it goes on.`;
    }),
  );

/** Notes if a task was restored into an archived project, which lists omit. Names the first such project. */
function archivedProjectNotes(tasks: Task[], before: ReadonlyMap<number, Task>): string[] {
  const [first] = tasks.filter((each) => before.get(each.id)?.deletedAt && !each.deletedAt && each.inArchivedProject);
  return first ? [`+${first.project} is archived: lists omit its tasks.`] : [];
}

/** Notes tasks that were begun or completed while they wait: what they wait for may be done too. */
const earlyNotes = (early: Outcome['early'], context: RenderContext): string[] =>
  firstNotes(
    early.map(([{ id }, { id: by, waitsFor, start }]) => {
      const subject = by === id ? `#${id}` : `#${id} is part of #${by}, which`;
      return waitsFor.length > 0
        ? `${subject} waits for ${numbers(waitsFor)}, still open.`
        : `${subject} starts ${start && sayWhen(start, context)}.`;
    }),
  );

const MARKS = { project: '+', label: '@' };

/** Notes new names that resemble existing ones and may be typos. */
export const similarNameNotes = (similar: SimilarName[]): string[] =>
  firstNotes(
    similar.map(({ of, name, alike }) => {
      const mark = MARKS[of];
      return `${mark}${name} is new; there is also ${alike.map((other) => mark + other).join(', ')}.`;
    }),
  );

/** Notes tasks of one plan that have the same title, project and parent. */
export function twinNotes(tasks: Task[]): string[] {
  const groups = groupBy(tasks, ({ title, projectId, parentId }) =>
    JSON.stringify([titleKey(title), projectId, parentId]),
  );
  const twins = [...groups.values()].filter((each) => each.length > 1);
  return firstNotes(twins.map((each) => `${numbersOf(each)} have the same title.`));
}

/** Notes restored sub-tasks whose parent is still in the trash. */
const orphanNotes = (orphans: Outcome['orphans']): string[] =>
  firstNotes(
    orphans.map(([{ id }, children]) => {
      const [are, its] = children.length === 1 ? ['is', 'its'] : ['are', 'their'];
      return `${numbersOf(children)} ${are} part of #${id}, still in the trash: restore that too, or clear ${its} parent.`;
    }),
  );

/** Notes reopened tasks whose series has another open task: the caller may want only one of the two. */
const alsoOpenNotes = (opened: Outcome['alsoOpen']): string[] =>
  firstNotes(
    opened.map(([tasks, { id }]) => {
      const instead = sayCall('delete_task', { ids: [id] });
      return `#${id} of the same series is open too. To have ${numbersOf(tasks)} open instead: ${instead}.`;
    }),
  );

/** Notes reopened tasks that no longer repeat, with the call that sets their rule again. */
const discontinuedNotes = (discontinued: Outcome['discontinued']): string[] =>
  firstNotes(
    discontinued.map(([{ id }, rule]) => {
      const again = sayCall('update_task', { ids: [id], repeats: sayRest(rule) });
      return `#${id} no longer repeats. To have it repeat again: ${again}.`;
    }),
  );

/** Notes tasks that carry a series on because another of it was deleted, and how to end it: that may have been meant. */
const heirNotes = (heirs: Outcome['heirs']): string[] =>
  firstNotes(
    heirs.map(([{ id: deleted }, { id, repeats }]) => {
      const end = sayCall('update_task', { ids: [id], clear: ['repeats'] });
      return `#${id} now carries on the series of #${deleted} (${repeats && sayRepeat(repeats)}). To end it: ${end}.`;
    }),
  );

/** Notes series that an undo did not end, although it threw away a task of theirs, and how to end them. */
export const carriedOnNotes = (carriedOn: Undone['carriedOn']): string[] =>
  firstNotes(
    carriedOn.map(
      ([gone, { id }]) =>
        `#${id} carries on the series of #${gone.id}. To end it: ${sayCall('delete_task', { ids: [id] })}.`,
    ),
  );

/** Notes closed tasks that were given a recurrence rule, which has no effect until they are reopened. */
const idleRuleNotes = (tasks: Task[], before: ReadonlyMap<number, Task>): string[] =>
  firstNotes(
    tasks
      .filter((each) => {
        const was = before.get(each.id);
        const isGiven = was && !isOpenTask(was) && !isDeepStrictEqual(was.repeats, each.repeats);
        return each.repeats && isGiven && !isOpenTask(each) && !each.deletedAt;
      })
      .map(({ id, status }) => `#${id} is ${status}: it repeats only once it is open again.`),
  );

/**
 * Notes how to end a series: cancelling a repeating task creates the next, which may not be meant.
 *
 * @param parts open sub-tasks of the next ones
 */
function endingNotes(next: Task[], parts: Task[]): string[] {
  if (next.length === 0) return [];
  const [come, series] = next.length === 1 ? ['comes', 'the series'] : ['come', 'these series'];
  const call = sayCall('update_task', {
    ids: [...next, ...parts].map(({ id }) => id),
    status: 'cancelled',
    clear: ['repeats'],
  });
  return [`${numbersOf(next)} ${come} next. To end ${series}: ${call}.`];
}

/**
 * Notes series that end because their open task was deleted.
 *
 * @param parts the open sub-tasks of these
 */
function cutShortNotes(cut: Task[], parts: Task[]): string[] {
  if (cut.length === 0) return [];
  const ids = new Set([...cut, ...parts].map(({ id }) => id));
  const skip = sayCall('update_task', { ids: [...ids], status: 'cancelled' });
  return [`This ends the series of ${numbersOf(cut)}. To skip only this time, undo it, then: ${skip}.`];
}

/** Notes blockers just named that are closed, and so block nothing. */
export const closedBlockerNotes = (blockers: Task[]): string[] =>
  firstNotes(blockers.map(({ id, status }) => `#${id} is ${status}, so it blocks nothing.`));

/** Notes tasks that are blocked again because a blocker was reopened or restored. */
export const blockedNotes = (blocked: Task[]): string[] =>
  blocked.length === 0 ? [] : [`${numbersOf(blocked)} ${blocked.length === 1 ? 'is' : 'are'} blocked again.`];

/** Notes that not all tasks that became ready are listed. */
export const moreReadyNotes = ({ length }: Task[]): string[] =>
  length > MAX_NAMED
    ? [
        `${tasksWord(length)} are ready now, ${MAX_NAMED} listed; all: ${sayCall('list_tasks', { ready: true, limit: 100 })}.`,
      ]
    : [];

/** Notes that not all open tasks with the titles of a plan are listed. */
export const moreNamesakesNotes = ({ length }: unknown[]): string[] =>
  length > MAX_NAMED
    ? [`${capped(length, MAX_NAMESAKES)} open tasks have the same titles; the newest ${MAX_NAMED} are listed.`]
    : [];

/** Notes what the caller may not expect of a write, or has to decide. */
export function outcomeNotes(outcome: Outcome, context: RenderContext): string[] {
  const { tasks, before } = outcome;
  return [
    ...unclaimedNotes(outcome.unclaimed),
    ...endedClaimNotes(outcome.ended, context),
    ...lapsedNotes(outcome.expired, context),
    ...earlyNotes(outcome.early, context),
    ...blockedNotes(outcome.blocked),
    ...orphanNotes(outcome.orphans),
    ...archivedProjectNotes(tasks, before),
    ...skippedNotes(outcome.skipped),
    ...lastNotes(outcome.endedSeries),
    ...endedWithParentNotes(outcome.endedWithParent),
    ...cutShortNotes(outcome.cutShort, outcome.cutShortSubtasks),
    ...heirNotes(outcome.heirs),
    ...alsoOpenNotes(outcome.alsoOpen),
    ...discontinuedNotes(outcome.discontinued),
    ...idleRuleNotes(tasks, before),
    ...suspectDateNotes(tasks, context, before),
    ...closedBlockerNotes(outcome.closedBlockers),
    ...similarNameNotes(outcome.similar),
    ...(tasks[0]?.status === 'cancelled' ? endingNotes(outcome.next, outcome.nextSubtasks) : []),
    ...moreReadyNotes(outcome.ready),
  ];
}
