import * as z from 'zod/v4';
import type { Added } from './domain/add.js';
import type { Happening, Related, TaskDetail } from './domain/get.js';
import type { Failure } from './domain/judge.js';
import { COUNTED, type TaskPage } from './domain/list.js';
import type { Overview } from './domain/overview.js';
import type { ProjectSummary } from './domain/projects.js';
import type { Comment, Operation } from './domain/record.js';
import { sayRepeat, upcoming } from './domain/repeats.js';
import type { Task } from './domain/task.js';
import type { Undone } from './domain/undo.js';
import type { Outcome } from './domain/update.js';
import type { ProjectOutcome } from './domain/update-project.js';
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
  conflict: z
    .array(z.strictObject({ field: z.string(), base: z.json().optional(), theirs: z.json(), yours: z.json() }))
    .optional(),
};
const related = z.strictObject({ id: z.int(), title: z.string(), status: z.string().optional() });
const task = z
  .strictObject({
    status: z.string(),
    version: z.int(),
    description: z.string(),
    priority: z.string(),
    due: z.string(),
    start: z.string(),
    repeats: z.string(),
    next: z.array(z.string()),
    estimate_minutes: z.int(),
    project: z.string(),
    labels: z.array(z.string()),
    parent: z.int(),
    open_subtasks: z.int(),
    subtasks: z.array(related),
    blocked_by: z.array(z.union([z.int(), related])),
    blocks: z.array(related),
    comments: z.array(z.strictObject({ id: z.int(), text: z.string(), by: z.string(), at: z.string() })),
    comments_total: z.int(),
    history: z.array(
      z.strictObject({ what: z.string(), fields: z.array(z.string()).optional(), by: z.string(), at: z.string() }),
    ),
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
    projects: z.array(
      z.strictObject({
        name: z.string(),
        open: z.union([z.int(), z.string()]).optional(),
        completed: z.union([z.int(), z.string()]).optional(),
      }),
    ),
    project: z.strictObject({ name: z.string(), archived: z.boolean().optional(), merged_into: z.string().optional() }),
    moved: z.int(),
    ready: z.array(related),
    next: z.array(z.strictObject({ id: z.int(), title: z.string(), due: z.string().optional() })),
    similar: z.array(related),
    similar_projects: z.array(z.string()),
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
    repeats: each.repeats && sayRepeat(each.repeats),
    estimate_minutes: each.estimateMinutes,
    project: each.project,
    labels: each.labels,
    parent: each.parentId,
    open_subtasks: each.openSubtasks || null,
    blocked_by: each.waitsFor,
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

const relatedJson = ({ id, title, status }: Related) => ({ id, title, ...(status !== 'pending' && { status }) });

const commentJson = ({ id, text, by, at }: Comment, { timezone }: Say) => ({
  id,
  text,
  by,
  at: formatStamp(at, timezone),
});

/** What happened, as one would say it. */
const HAPPENED: Record<Operation, string> = {
  create: 'created',
  update: 'updated',
  complete: 'completed',
  delete: 'deleted',
  restore: 'restored',
  comment: 'commented',
  archive: 'archived',
  merge: 'merged',
};

const happeningJson = ({ what, fields, by, at }: Happening, { timezone }: Say) => ({
  what: HAPPENED[what],
  ...(what === 'update' && { fields }),
  by,
  at: formatStamp(at, timezone),
});

const detailed = (each: TaskDetail, say: Say) =>
  present({
    ...single(each, say),
    next: each.next.map((when) => formatWhen(when, say.timezone)),
    description: each.description,
    open_subtasks: null,
    subtasks: each.subtasks.map(relatedJson),
    blocked_by: each.blockers.map(relatedJson),
    blocks: each.blocks.map(relatedJson),
    comments: each.comments.map((comment) => commentJson(comment, say)),
    comments_total: each.commentCount > each.comments.length ? each.commentCount : null,
    history: each.history.map((happening) => happeningJson(happening, say)),
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
    each.repeats && sayRepeat(each.repeats),
    each.priority,
    each.estimateMinutes && `${each.estimateMinutes} min`,
    each.project && `+${each.project}`,
    ...each.labels.map((label) => `@${label}`),
    each.parentId && `in #${each.parentId}`,
    each.openSubtasks > 0 && `${each.openSubtasks} open sub-${each.openSubtasks === 1 ? 'task' : 'tasks'}`,
    each.waitsFor.length > 0 && `blocked by ${each.waitsFor.map((id) => `#${id}`).join(', ')}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Text of many lines, indented so that none of them can pass for a row, and with nothing a terminal would obey. */
export function indented(text: string): string {
  return text
    .replace(
      /[^\P{Cc}\n\t]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
      (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`,
    )
    .replace(/^/gm, '    ');
}

const relatedLine = ({ id, title, status }: Related) =>
  `  #${id} ${title}${status === 'pending' ? '' : ` · ${plain(status)}`}`;

function paragraph(each: TaskDetail, say: Say): string {
  const stamp = (instant: Date) => sayStamp(instant, say.now, say.timezone);
  const section = (title: string, lines: string[]) => (lines.length > 0 ? [`  ${title}:`, ...lines] : []);
  const shown = each.comments.length;
  return [
    line({ ...each, openSubtasks: 0, waitsFor: [] }, say), // both are listed below
    `  version ${each.version} · created ${stamp(each.createdAt)} · updated ${stamp(each.updatedAt)}`,
    ...(each.next.length > 0
      ? [`  then ${each.next.map((when) => sayWhen(when, say.now, say.timezone)).join(', ')}`]
      : []),
    ...(each.description ? [indented(each.description)] : []),
    ...section('Sub-tasks', each.subtasks.map(relatedLine)),
    ...section('Blocked by', each.blockers.map(relatedLine)),
    ...section('Blocks', each.blocks.map(relatedLine)),
    ...section(
      each.commentCount > shown ? `Comments (the latest ${shown} of ${each.commentCount})` : 'Comments',
      each.comments.flatMap(({ text, by, at }) => [`  ${stamp(at)}, ${by}:`, indented(text)]),
    ),
    ...section(
      'History',
      each.history.map(
        ({ what, fields, by, at }) =>
          `  ${stamp(at)}, ${by}: ${HAPPENED[what]}${what === 'update' ? ` ${fields.join(', ')}` : ''}`,
      ),
    ),
  ].join('\n');
}

const capped = (count: number): number | string => (count > COUNTED ? `${COUNTED}+` : count);
const tasksWord = (count: number | string) => `${count} ${count === 1 ? 'task' : 'tasks'}`;
const dateline = ({ now, timezone }: Say) => `today is ${sayToday(now, timezone)} (${timezone})`;

const failedLines = (failed: Failure[]) => failed.map(({ message, hint }) => `Failed: ${message} ${hint ?? ''}`.trim());

export function pageAnswer(page: TaskPage, say: Say, detail: Detail): Answer {
  const { tasks, nextCursor } = page;
  const total = capped(page.total);
  const shown = tasks.length === page.total ? tasksWord(total) : `${tasks.length} of ${tasksWord(total)}`;
  return {
    json: {
      now: formatStamp(say.now, say.timezone),
      timezone: say.timezone,
      tasks: tasks.map((each) => row(each, say, detail)),
      total,
      ...(nextCursor && { next_cursor: nextCursor }),
    },
    text: [
      `${shown}; ${dateline(say)}`,
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

/** New tasks: one, or those of a plan. */
export function addedAnswer({ tasks, similar, similarProjects }: Added, say: Say): Answer {
  const [first] = tasks;
  const json =
    tasks.length === 1 && first
      ? { task: added(first, say) }
      : { tasks: tasks.map((each) => row(each, say)), total: tasks.length };
  return {
    json: present({ ...json, similar, similar_projects: similarProjects }),
    text: [
      ...tasks.map((each) => `Added ${line(each, say)}`),
      ...tasks.flatMap((each) => dates(each, say).map((when) => `  then ${when}`)),
      ...(similar.length > 0
        ? ['Open tasks like it, in case it is one of them:', ...similar.map(({ id, title }) => `  #${id} ${title}`)]
        : []),
      ...(similarProjects.length > 0
        ? [`The project is new; there is also ${similarProjects.map((name) => `+${name}`).join(', ')}.`]
        : []),
    ].join('\n'),
  };
}

/** A new task: of one that repeats, with the dates that the rule was understood to mean. */
const added = (each: Task, say: Say) => present({ ...single(each, say), next: datesOf(each, say) });
const datesOf = (each: Task, { timezone }: Say) =>
  each.repeats && each.due
    ? upcoming(each.repeats, each.due, { timezone }).map((when) => formatWhen(when, timezone))
    : [];
const dates = (each: Task, { now, timezone }: Say) =>
  each.repeats && each.due
    ? [
        upcoming(each.repeats, each.due, { timezone })
          .map((when) => sayWhen(when, now, timezone))
          .join(', '),
      ]
    : [];

/** A comment on a task. */
export const commentAnswer = (each: Task): Answer => ({
  json: { task: { id: each.id, title: each.title } },
  text: `Commented on #${each.id} ${each.title}`,
});

/** How many tasks the answer to a write names, for one with very many sub-tasks. */
const NAMED = 100;

/** How many of those that became ready are named. */
const READY = 20;

/** Tasks that a write was asked to change, and those that changed along with them. */
export function outcomeAnswer({ tasks, unchanged, failed, ready, next }: Outcome, say: Say, verb: string): Answer {
  const [first] = tasks;
  const said = (each: Task) => `${unchanged.has(each.id) ? 'Unchanged' : verb} ${line(each, say)}`;
  const named = tasks.slice(0, NAMED);
  const json =
    tasks.length === 1 && failed.length === 0 && first
      ? { task: added(first, say) }
      : { tasks: named.map((each) => row(each, say)), total: tasks.length, failed };
  const more = tasks.length > NAMED ? [`and ${tasks.length - NAMED} more`] : [];
  const free = ready.slice(0, READY);
  return {
    json: present({
      ...json,
      ready: free.map(({ id, title }) => ({ id, title })),
      next: next.map(({ id, title, due }) => ({ id, title, ...(due && { due: formatWhen(due, say.timezone) }) })),
    }),
    text: [
      ...named.map(said),
      ...more,
      ...tasks.flatMap((each) => (unchanged.has(each.id) ? [] : dates(each, say).map((when) => `  then ${when}`))),
      ...(free.length > 0 ? [`Ready now: ${free.map(({ id, title }) => `#${id} ${title}`).join(', ')}`] : []),
      ...next.map((each) => `Next ${line(each, say)}`),
      ...failedLines(failed),
    ].join('\n'),
  };
}

/** What an undo put back. */
export function undoneAnswer({ tasks, projects, failed }: Undone, say: Say): Answer {
  const named = tasks.slice(0, NAMED);
  const state = (project: Undone['projects'][number]) =>
    project.deletedAt ? 'removed' : project.archivedAt ? 'archived' : 'restored';
  return {
    json: present({
      tasks: named.map((each) => row(each, say)),
      total: tasks.length,
      projects: projects.map(({ name }) => ({ name })),
      failed,
    }),
    text: [
      `Undone: ${tasksWord(tasks.length)} changed back`,
      ...named.map((each) => line(each, say)),
      ...(tasks.length > NAMED ? [`and ${tasks.length - NAMED} more`] : []),
      ...projects.map((project) => `Project +${project.name}: ${state(project)}`),
      ...failedLines(failed),
    ].join('\n'),
  };
}

export function projectAnswer({ project, into, unchanged }: ProjectOutcome): Answer {
  const { name } = project;
  return {
    json: present({
      project: {
        name,
        ...(project.archivedAt && !into && { archived: true }),
        ...(into && { merged_into: into.name }),
      },
      moved: into?.moved,
    }),
    text: into
      ? `Merged +${name} into +${into.name}: ${tasksWord(into.moved)} moved`
      : `${unchanged ? 'Unchanged' : 'Updated'} +${name}${project.archivedAt ? ' · archived' : ''}`,
  };
}

export function projectsAnswer({ projects, total }: { projects: ProjectSummary[]; total: number }): Answer {
  const counted = projects.map(({ name, open, completed }) => ({
    name,
    open: capped(open),
    ...(completed !== undefined && { completed: capped(completed) }),
  }));
  const part = total > projects.length;
  return {
    json: { projects: counted, ...(part && { total }) },
    text:
      total === 0
        ? 'No projects yet. A task makes its project by naming it.'
        : [
            ...(part ? [`The first ${projects.length} of ${total} projects:`] : []),
            ...counted.map(
              ({ name, open, completed }) =>
                `+${name} · ${open} open${completed === undefined ? '' : ` · ${completed} completed`}`,
            ),
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
      `${counts.open} open, ${counts.in_progress} in progress, ${counts.blocked} blocked, ${counts.overdue} overdue, ${counts.today} more due today`,
      ...list('Overdue', found.overdue, found.counts.overdue),
      ...list('Today', found.today, found.counts.today),
    ].join('\n'),
  };
}

export function refusalAnswer(body: RefusalBody): Answer {
  const { code, message, hint, candidates, conflict } = body;
  return {
    json: { error: present({ code, message, hint, candidates, conflict }) },
    text: [
      [message, hint].filter(Boolean).join(' '),
      ...(candidates ?? []).map(({ id, title, name }) => (id === undefined ? `+${name}` : `#${id} ${title}`)),
      ...(conflict ?? []).map(
        ({ field, base, theirs, yours }) =>
          `  ${field}: ${base === undefined ? '' : `was ${JSON.stringify(base)}, `}is ${JSON.stringify(theirs)}, you wanted ${JSON.stringify(yours)}`,
      ),
    ].join('\n'),
  };
}

/** `14:02` in the user's zone. */
export const sayTime = (instant: Date, { timezone }: Say): string => formatStamp(instant, timezone).slice(11, 16);
