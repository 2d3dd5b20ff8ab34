import * as z from 'zod/v4';
import type { Subtask, TaskDetail } from './domain/get.js';
import { COUNTED, type TaskPage } from './domain/list.js';
import type { Overview } from './domain/overview.js';
import type { ProjectSummary } from './domain/projects.js';
import { PAGED, RANKED } from './domain/search.js';
import type { Task } from './domain/task.js';
import type { Failure, Outcome } from './domain/update.js';
import { formatStamp, formatWhen, sayStamp, sayToday, sayWhen } from './domain/when.js';
import type { RefusalBody } from './errors.js';

/** What an answer's words depend on beside its content. */
export interface Say {
  now: Date;
  timezone: string;
  /** The user's handle. */
  user: string;
}

/** An answer in both channels: they say the same. */
export interface Answer {
  json: Record<string, unknown>;
  text: string;
}

const candidate = z.strictObject({ id: z.int(), title: z.string(), name: z.string() }).partial();
const refusal = {
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  candidates: z.array(candidate).optional(),
};
const task = z
  .strictObject({
    status: z.string(),
    version: z.int(),
    description: z.string(),
    priority: z.string(),
    due: z.string(),
    start: z.string(),
    estimate_minutes: z.int(),
    project: z.string(),
    labels: z.array(z.string()),
    parent: z.int(),
    subtasks: z.array(z.strictObject({ id: z.int(), title: z.string(), status: z.string().optional() })),
    created: z.string(),
    updated: z.string(),
    completed: z.string(),
  })
  .partial()
  .extend({ id: z.int(), title: z.string() });

/** Everything an answer may hold. No row of a table is ever spread into one: what is not listed here does not leave. */
const answer = z
  .strictObject({
    task,
    tasks: z.array(task),
    total: z.union([z.int(), z.string()]),
    next_cursor: z.string(),
    near: z.literal(true),
    note: z.string(),
    projects: z.array(z.strictObject({ name: z.string(), open: z.union([z.int(), z.string()]) })),
    user: z.string(),
    timezone: z.string(),
    now: z.string(),
    counts: z.record(z.string(), z.union([z.int(), z.string()])),
    overdue: z.array(task),
    today: z.array(task),
    undo: z.string(),
    replayed: z.literal(true),
    dry_run: z.literal(true),
    failed: z.array(z.strictObject({ id: z.union([z.int(), z.string()]), ...refusal })),
    error: z.strictObject(refusal),
  })
  .partial();

export type AnswerField = keyof z.infer<typeof answer>;

/** Checks an answer before it leaves: anything not listed above is a bug of ours, not an answer. */
export function checkAnswer(json: Record<string, unknown>): Record<string, unknown> {
  answer.parse(json);
  return json;
}

export type Detail = 'ids' | 'compact' | 'full';

/** Leaves out what is empty. */
function present<T extends object>(fields: T): T {
  const kept = Object.entries(fields).filter(
    ([, value]) => value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(kept) as T;
}

const statusOf = (each: Task) => (each.deletedAt ? 'deleted' : each.status);

/** A row of a list. */
function row(each: Task, say: Say, detail: Detail = 'compact') {
  if (detail === 'ids') return { id: each.id, title: each.title };
  const status = statusOf(each);
  return present({
    id: each.id,
    title: each.title,
    status: status === 'pending' ? null : status,
    due: each.due && formatWhen(each.due, say.timezone),
    start: each.start && formatWhen(each.start, say.timezone),
    priority: each.priority,
    estimate_minutes: each.estimateMinutes,
    project: each.project,
    labels: each.labels,
    parent: each.parentId,
    completed: each.completedAt && formatStamp(each.completedAt, say.timezone),
    ...(detail === 'full' && { description: each.description, ...stamps(each, say) }),
  });
}

/** One task by itself. */
const single = (each: Task, say: Say) => ({ ...row(each, say), status: statusOf(each), version: each.version });

const stamps = (each: Task, say: Say) => ({
  created: formatStamp(each.createdAt, say.timezone),
  updated: formatStamp(each.updatedAt, say.timezone),
});

const detailed = (each: TaskDetail, say: Say) =>
  present({
    ...single(each, say),
    description: each.description,
    subtasks: each.subtasks.map(({ id, title, status }) => ({ id, title, ...(status !== 'pending' && { status }) })),
    ...stamps(each, say),
  });

const plain = (word: string) => word.replace('_', ' ');

/** One line: `#12 Buy milk · due Tue 24 Nov · high · +Home · @errand`. */
function line(each: Task, { now, timezone }: Say): string {
  const when = (instant: string) => sayWhen(instant, now, timezone);
  const status = statusOf(each);
  return [
    `#${each.id} ${each.title}`,
    status === 'pending'
      ? undefined
      : status === 'completed' && each.completedAt
        ? `completed ${sayStamp(each.completedAt, now, timezone)}`
        : plain(status),
    each.due && `due ${when(each.due)}`,
    each.start && `starts ${when(each.start)}`,
    each.priority,
    each.estimateMinutes && `${each.estimateMinutes} min`,
    each.project && `+${each.project}`,
    ...each.labels.map((label) => `@${label}`),
    each.parentId && `in #${each.parentId}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Text of many lines, indented so that none of them can pass for a row, and with nothing a terminal would obey. */
function indented(text: string): string {
  return text
    .replace(
      /[^\P{Cc}\n\t]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
      (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`,
    )
    .replace(/^/gm, '    ');
}

const subtaskLine = ({ id, title, status }: Subtask) =>
  `  #${id} ${title}${status === 'pending' ? '' : ` · ${plain(status)}`}`;

function paragraph(each: TaskDetail, say: Say): string {
  const stamp = (instant: Date) => sayStamp(instant, say.now, say.timezone);
  return [
    line(each, say),
    `  version ${each.version} · created ${stamp(each.createdAt)} · updated ${stamp(each.updatedAt)}`,
    ...(each.description ? [indented(each.description)] : []),
    ...(each.subtasks.length > 0 ? ['  Sub-tasks:', ...each.subtasks.map(subtaskLine)] : []),
  ].join('\n');
}

const capped = (count: number): number | string => (count > COUNTED ? `${COUNTED}+` : count);
const tasksWord = (count: number | string) => `${count} ${count === 1 ? 'task' : 'tasks'}`;
const dateline = ({ now, timezone }: Say) => `today is ${sayToday(now, timezone)} (${timezone})`;

const failedLines = (failed: Failure[]) => failed.map(({ message, hint }) => `Failed: ${message} ${hint ?? ''}`.trim());

/** What a list by words leaves out, and what to do about it. */
function noteOf({ cut, ended }: TaskPage): string | undefined {
  if (cut) return `More than ${RANKED} tasks match, and only the newest ${RANKED} were looked at: narrow the search.`;
  return ended ? `These are the last of the ${PAGED} best: narrow the search to see others.` : undefined;
}

export function pageAnswer(page: TaskPage, say: Say, detail: Detail): Answer {
  const { tasks, nextCursor, near, cut } = page;
  const note = noteOf(page);
  const total = cut ? `${page.total}+` : capped(page.total);
  const shown = tasks.length === page.total ? tasksWord(total) : `${tasks.length} of ${tasksWord(total)}`;
  return {
    json: {
      tasks: tasks.map((each) => row(each, say, detail)),
      total,
      ...(nextCursor && { next_cursor: nextCursor }),
      ...(near && { near }),
      ...(note && { note }),
    },
    text: [
      `${near ? 'Nothing has these words, but near come ' : ''}${shown}; ${dateline(say)}`,
      ...(note ? [note] : []),
      ...tasks.flatMap((each) => [
        detail === 'ids' ? `#${each.id} ${each.title}` : line(each, say),
        ...(detail === 'full' && each.description ? [indented(each.description)] : []),
      ]),
      ...(nextCursor ? [`More: repeat with cursor ${nextCursor}`] : []),
    ].join('\n'),
  };
}

export function detailAnswer(found: { tasks: TaskDetail[]; failed: Failure[] }, say: Say): Answer {
  const [first] = found.tasks;
  const json =
    found.tasks.length === 1 && found.failed.length === 0 && first
      ? { task: detailed(first, say) }
      : { tasks: found.tasks.map((each) => detailed(each, say)), total: found.tasks.length, failed: found.failed };
  return {
    json: present(json),
    text: [...found.tasks.map((each) => paragraph(each, say)), ...failedLines(found.failed)].join('\n'),
  };
}

/** One new or changed task. */
export function taskAnswer(each: Task, say: Say, verb: string): Answer {
  return { json: { task: single(each, say) }, text: `${verb} ${line(each, say)}` };
}

/** How many tasks the answer to a write names, for one with very many sub-tasks. */
const NAMED = 100;

/** Tasks that a write was asked to change, and those that changed along with them. */
export function outcomeAnswer({ tasks, unchanged, failed }: Outcome, say: Say, verb: string): Answer {
  const [first] = tasks;
  const said = (each: Task) => `${unchanged.has(each.id) ? 'Unchanged' : verb} ${line(each, say)}`;
  const named = tasks.slice(0, NAMED);
  const json =
    tasks.length === 1 && failed.length === 0 && first
      ? { task: single(first, say) }
      : { tasks: named.map((each) => row(each, say)), total: tasks.length, failed };
  const more = tasks.length > NAMED ? [`and ${tasks.length - NAMED} more`] : [];
  return { json: present(json), text: [...named.map(said), ...more, ...failedLines(failed)].join('\n') };
}

export function projectsAnswer({ projects, total }: { projects: ProjectSummary[]; total: number }): Answer {
  const counted = projects.map(({ name, open }) => ({ name, open: capped(open) }));
  const part = total > projects.length;
  return {
    json: { projects: counted, ...(part && { total }) },
    text:
      total === 0
        ? 'No projects yet. A task makes its project by naming it.'
        : [
            ...(part ? [`The first ${projects.length} of ${total} projects:`] : []),
            ...counted.map(({ name, open }) => `+${name} · ${open} open`),
          ].join('\n'),
  };
}

export function overviewAnswer(found: Overview, say: Say): Answer {
  const counts = Object.fromEntries(Object.entries(found.counts).map(([name, count]) => [name, capped(count)]));
  const list = (title: string, tasks: Task[], count: number) =>
    tasks.length === 0
      ? []
      : [
          `${title}${count > tasks.length ? ` (first ${tasks.length} of ${capped(count)})` : ''}:`,
          ...tasks.map((each) => line(each, say)),
        ];
  return {
    json: present({
      user: say.user,
      timezone: say.timezone,
      now: formatStamp(say.now, say.timezone),
      counts,
      overdue: found.overdue.map((each) => row(each, say)),
      today: found.today.map((each) => row(each, say)),
    }),
    text: [
      `${say.user}; ${dateline(say)}, ${sayTime(say.now, say)}`,
      `${counts.open} open, ${counts.in_progress} in progress, ${counts.overdue} overdue, ${counts.today} more due today`,
      ...list('Overdue', found.overdue, found.counts.overdue),
      ...list('Today', found.today, found.counts.today),
    ].join('\n'),
  };
}

export function refusalAnswer(body: RefusalBody): Answer {
  const { code, message, hint, candidates } = body;
  return {
    json: { error: present({ code, message, hint, candidates }) },
    text: [
      [message, hint].filter(Boolean).join(' '),
      ...(candidates ?? []).map(({ id, title, name }) => (id === undefined ? `+${name}` : `#${id} ${title}`)),
    ].join('\n'),
  };
}

/** `14:02` in the user's zone. */
export const sayTime = (instant: Date, { timezone }: Say): string => formatStamp(instant, timezone).slice(11, 16);
