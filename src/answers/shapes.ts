import { UNSAFE } from '../characters.js';
import type { Delta } from '../domain/changed.js';
import {
  formatStamp,
  formatWhen,
  sayStamp,
  sayToday,
  sayUntil,
  sayWhen,
  type TimeContext,
  type When,
} from '../domain/dates/clock.js';
import {
  type HistoryEntry,
  MANY_SHOWN,
  type PlacedComment,
  type Related,
  SHOWN,
  type TaskDetail,
} from '../domain/get.js';
import type { Comment } from '../domain/record.js';
import { upcoming } from '../domain/recurrence/follow-series.js';
import { sayRepeat } from '../domain/recurrence/say-rule.js';
import { isOpenTask, type Task } from '../domain/task.js';
import { handleOf } from '../domain/write.js';
import { describeStep, stepsText, stepText } from './changes-in-words.js';

/** What the wording of an answer depends on besides its content. */
export interface RenderContext extends TimeContext {
  /** The user's handle. */
  user: string;
}

/** An answer in both channels, which say the same: structured content and text. */
export interface Answer {
  json: Record<string, unknown>;
  text: string;
}

/** Levels of detail of a task in a list, lowest first. */
export const DETAILS = ['ids', 'compact', 'full'] as const;
export type Detail = (typeof DETAILS)[number];

/** Drops fields that are null, undefined or an empty array. */
export function withoutEmpty<T extends object>(fields: T): T {
  const filled: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields))
    if (value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0)) filled[name] = value;
  return filled as T;
}

const shownStatus = (task: Task) =>
  task.deletedAt ? 'deleted' : task.claimed && task.status === 'pending' ? 'in_progress' : task.status;

/** A task, or one in full. */
type Row = Task & Pick<TaskDetail, 'ownClaim'>;

/**
 * Renders a task of a list as JSON.
 *
 * @param told a status to omit because the answer states it already; `pending` is always omitted
 */
export function rowJson(task: Row, context: RenderContext, detail: Detail = 'compact', told = 'pending') {
  const { id, title } = task;
  if (detail === 'ids') return { id, title };
  const status = shownStatus(task);
  return withoutEmpty({
    id,
    title,
    status: status === 'pending' || status === told ? null : status,
    due: task.due && formatWhen(task.due, context.timezone),
    start: task.start && formatWhen(task.start, context.timezone),
    priority: task.priority,
    repeats: task.repeats && sayRepeat(task.repeats),
    estimate_minutes: task.estimateMinutes,
    project: task.project,
    project_archived: isInArchived(task) || null,
    labels: task.labels,
    parent: task.parentId,
    open_subtasks: task.openSubtasks || null,
    blocked_by: task.waitsFor,
    waits_with: task.waitsWith,
    ...(task.claimed && {
      claimed_by: task.claimedBy,
      claimed_until: task.claimedUntil && formatStamp(task.claimedUntil, context.timezone),
      claim: task.ownClaim,
    }),
    completed: task.completedAt && formatStamp(task.completedAt, context.timezone),
    ...(detail === 'full' && { description: task.description, ...stamps(task, context) }),
  });
}

const isInArchived = ({ project, inArchivedProject }: Task): boolean => project !== null && inArchivedProject;

/** Returns the next due dates of a repeating task after the current one. */
const nextDates = (task: Task, context: RenderContext): When[] =>
  task.repeats && task.due && isOpenTask(task) ? upcoming(task.repeats, task.due, context) : [];

/** The same, formatted for the JSON channel. */
export const datesOf = (task: Task, context: RenderContext) =>
  nextDates(task, context).map((when) => formatWhen(when, context.timezone));

/** The same as at most one line of text: `  then 1 Dec, 8 Dec, 15 Dec`. */
export function nextDatesLine(task: Task, context: RenderContext): string[] {
  const dates = nextDates(task, context).map((when) => sayWhen(when, context));
  return dates.length > 0 ? [`  then ${dates.join(', ')}`] : [];
}

/** Renders a single task as JSON: a row with its status and version. */
export const taskJson = (task: Row, context: RenderContext) => ({
  ...rowJson(task, context),
  status: shownStatus(task),
  version: task.version,
});

const stamps = (task: Task, context: RenderContext) => {
  const [created, updated] = [task.createdAt, task.updatedAt].map((at) => formatStamp(at, context.timezone));
  return { created, ...(updated !== created && { updated }) };
};

/** The same as text: `created Sun 15 Nov 09:00 · updated Mon 16 Nov 10:00`. */
export function sayStamps({ createdAt, updatedAt }: Task, context: RenderContext, by = ''): string {
  const [created, updated] = [createdAt, updatedAt].map((at) => sayStamp(at, context));
  return `created ${created}${by}${updated === created ? '' : ` · updated ${updated}`}`;
}

const relatedJson = ({ id, title, status }: Related) => ({ id, title, ...(status !== 'pending' && { status }) });

const commentJson = ({ text, by, at }: Comment, { timezone }: RenderContext) => ({
  text,
  by,
  at: formatStamp(at, timezone),
});

/** Renders what one write did to a task or project, for both channels. `head` says when and by whom. */
export function changeRow({ entity, id, name, steps, by, at }: Delta, context: RenderContext) {
  const what = stepsText(steps, context);
  const json = entity === 'task' ? { id, title: name } : { project: name ?? `(${id})` };
  const named = entity === 'task' ? `#${id}${name === null ? '' : ` ${quoted(name)}`}` : `+${json.project}`;
  return {
    json: withoutEmpty({ ...json, what }),
    line: `${named} · ${what}`,
    by,
    at: formatStamp(at, context.timezone),
    head: `${sayStamp(at, context)}, ${by}:`,
  };
}

const historyEntryJson = (entry: HistoryEntry, context: RenderContext) =>
  withoutEmpty({
    ...describeStep(entry, context),
    by: entry.by,
    at: formatStamp(entry.at, context.timezone),
    undo: entry.batch && handleOf(entry.batch),
  });

function historyEntryLine(entry: HistoryEntry, context: RenderContext): string {
  const { at, by, batch } = entry;
  const handle = batch ? ` (${handleOf(batch)})` : '';
  return `  ${sayStamp(at, context)}, ${by}: ${stepText(entry, context)}${handle}`;
}

/** Renders a task in full as JSON. */
export const detailJson = (task: TaskDetail, context: RenderContext) =>
  withoutEmpty({
    ...taskJson(task, context),
    next: datesOf(task, context),
    description: task.description,
    note: task.note,
    open_subtasks: null,
    subtasks: task.subtasks.map(relatedJson),
    subtasks_total: task.subtaskCount > task.subtasks.length ? task.subtaskCount : null,
    blocked_by: task.blockers.map(relatedJson),
    blocks: task.blocks.map(relatedJson),
    blocks_total: task.blockCount > task.blocks.length ? task.blockCount : null,
    comments: task.comments.map((comment) => commentJson(comment, context)),
    comments_total: task.commentCount > task.comments.length ? task.commentCount : null,
    comments_before: earlierThan(task.comments),
    history: task.history.map((entry) => historyEntryJson(entry, context)),
    ...stamps(task, context),
    created_by: task.createdBy,
  });

const spaced = (word: string) => word.replace('_', ' ');

/**
 * Renders a task as one line: `#12 Buy milk · due Tue 24 Nov · high +Home @errand`.
 *
 * @param told a status to omit because the answer states it already; `pending` is always omitted
 */
export const line = (task: Row, context: RenderContext, told?: string): string =>
  [`#${task.id} ${quoted(task.title)}`, ...lineParts(task, context, told)].join(' · ');

/** Renders the parts of that line after the title. */
export function lineParts(task: Row, context: RenderContext, told = 'pending'): string[] {
  const when = (instant: string) => sayWhen(instant, context);
  const status = shownStatus(task);
  const parts = [
    status === 'pending' || status === told
      ? undefined
      : status === 'completed' && task.completedAt
        ? `completed ${sayStamp(task.completedAt, context)}`
        : spaced(status),
    task.due && `due ${when(task.due)}`,
    task.start && `starts ${when(task.start)}`,
    task.repeats && sayRepeat(task.repeats),
    task.estimateMinutes && `${task.estimateMinutes} min`,
    [
      task.priority,
      task.project && `+${task.project}${isInArchived(task) ? ' (archived)' : ''}`,
      ...task.labels.map((label) => `@${label}`),
    ]
      .filter(Boolean)
      .join(' '), // the signs + and @ separate them well enough
    task.parentId && `in #${task.parentId}`,
    task.openSubtasks > 0 && `${task.openSubtasks} open sub-${task.openSubtasks === 1 ? 'task' : 'tasks'}`,
    task.claimed &&
      task.claimedUntil &&
      `claimed by ${task.claimedBy} until ${sayUntil(task.claimedUntil, context)}${task.ownClaim ? ` (claim ${task.ownClaim})` : ''}`,
    task.waitsFor.length > 0 && `blocked by ${task.waitsFor.map((id) => `#${id}`).join(', ')}`,
    task.waitsWith && `waits with #${task.waitsWith}`,
  ];
  return parts.flatMap((part) => part || []);
}

/** Quotes a title that contains the separator of a row's parts. */
export const quoted = (title: string): string => (title.includes(' · ') ? JSON.stringify(title) : title);

/** Escapes unsafe characters, except newlines and tabs. */
export const escaped = (text: string): string =>
  text.replace(UNSAFE, (found) =>
    /[\n\t]/.test(found) ? found : [...found].map((each) => `\\u{${each.codePointAt(0)?.toString(16)}}`).join(''),
  );

/** Indents every line of a text, so that none can be mistaken for a row. */
export function indented(text: string): string {
  return escaped(text).replace(/^/gm, '    ');
}

const relatedLine = ({ id, title, status }: Related) =>
  `  #${id} ${quoted(title)}${status === 'pending' ? '' : ` · ${spaced(status)}`}`;

/** Returns the value of `comments_before` for the comments before those shown, if there are any. */
const earlierThan = ([first]: PlacedComment[]): number | undefined => (first && first.place > 1 ? first.id : undefined);

/** Heads the comments of a task: says which of them are shown, unless all are. */
function commentsTitle({ comments, commentCount }: TaskDetail): string {
  const [first, last] = [comments[0], comments.at(-1)];
  if (!first || !last || comments.length === commentCount) return 'Comments';
  const earlier = first.place > 1 ? ` (earlier ones: get_task with comments_before ${first.id})` : '';
  const shown = first === last ? `${first.place}` : `${first.place}–${last.place}`;
  return `Comments ${shown} of ${commentCount}${earlier}`;
}

/** Renders a task in full, as several lines. */
export function detailText(task: TaskDetail, context: RenderContext): string {
  const stamp = (instant: Date) => sayStamp(instant, context);
  const section = (title: string, lines: string[]) => (lines.length > 0 ? [`  ${title}:`, ...lines] : []);
  const part = (title: string, shown: number, all: number, rest: string) =>
    all > shown ? `${title} (${shown} of ${all}; ${rest})` : title;
  const { subtasks, subtaskCount, blocks, blockCount, comments } = task;
  return [
    line({ ...task, openSubtasks: 0, waitsFor: [], waitsWith: null }, context), // all are listed below
    `  version ${task.version} · ${sayStamps(task, context, ` by ${task.createdBy}`)}`,
    ...nextDatesLine(task, context),
    ...(task.description ? [indented(task.description)] : []),
    ...(task.note ? ['  Note left on release:', indented(task.note)] : []),
    ...section(
      part('Sub-tasks', subtasks.length, subtaskCount, `list_tasks parent ${task.id} for the rest`),
      subtasks.map(relatedLine),
    ),
    ...section('Blocked by', task.blockers.map(relatedLine)),
    ...(task.waitsWith ? [`  Waits with its ancestor #${task.waitsWith}.`] : []),
    ...section(
      part(
        'Blocks',
        blocks.length,
        blockCount,
        blocks.length < MANY_SHOWN.related ? 'more from get_task with a larger max_tokens' : 'the rest is not shown',
      ),
      blocks.map(relatedLine),
    ),
    ...section(
      commentsTitle(task),
      comments.flatMap(({ text, by, at }) => [`  ${stamp(at)}, ${by}:`, indented(text)]),
    ),
    ...section(
      task.history.length < SHOWN.history ? 'History' : `History (the latest ${task.history.length})`,
      task.history.map((entry) => historyEntryLine(entry, context)),
    ),
  ].join('\n');
}

/** `1 task`, `2 tasks`, `1000+ tasks`. */
export const counted = (count: number | string, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
export const tasksWord = (count: number | string) => counted(count, 'task');
export const todayLine = (context: RenderContext) => `today is ${sayToday(context)} (${context.timezone})`;

/** Formats a time as `14:02` in the user's time zone. */
export const sayTime = (instant: Date, { timezone }: RenderContext): string =>
  formatStamp(instant, timezone).slice(11, 16);
