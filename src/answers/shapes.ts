import { UNSAFE } from '../characters.js';
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
import type { TaskDetail } from '../domain/get.js';
import { upcoming } from '../domain/recurrence/follow-series.js';
import { sayRepeat } from '../domain/recurrence/say-rule.js';
import { isOpenTask, type Task } from '../domain/task.js';

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

export const stamps = (task: Task, context: RenderContext) => {
  const [created, updated] = [task.createdAt, task.updatedAt].map((at) => formatStamp(at, context.timezone));
  return { created, ...(updated !== created && { updated }) };
};

/** The same as text: `created Sun 15 Nov 09:00 · updated Mon 16 Nov 10:00`. */
export function sayStamps({ createdAt, updatedAt }: Task, context: RenderContext, by = ''): string {
  const [created, updated] = [createdAt, updatedAt].map((at) => sayStamp(at, context));
  return `created ${created}${by}${updated === created ? '' : ` · updated ${updated}`}`;
}

export const spaced = (word: string) => word.replace('_', ' ');

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

/** Renders one row of a list for both channels. */
export function listed(task: Task, context: RenderContext, detail: Detail) {
  const lines = [
    detail === 'ids' ? `#${task.id} ${quoted(task.title)}` : line(task, context),
    ...(detail === 'full' ? [`  ${sayStamps(task, context)}`] : []),
    ...(detail === 'full' && task.description ? [indented(task.description)] : []),
  ];
  return { json: rowJson(task, context, detail), lines };
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

/** `1 task`, `2 tasks`, `1000+ tasks`. */
export const counted = (count: number | string, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;
export const tasksWord = (count: number | string) => counted(count, 'task');
export const todayLine = (context: RenderContext) => `today is ${sayToday(context)} (${context.timezone})`;

/** Formats a time as `14:02` in the user's time zone. */
export const sayTime = (instant: Date, { timezone }: RenderContext): string =>
  formatStamp(instant, timezone).slice(11, 16);
