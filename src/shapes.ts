import * as z from 'zod/v4';
import type { Subtask, TaskDetail } from './domain/get.js';
import { COUNTED, type TaskPage } from './domain/list.js';
import type { Overview } from './domain/overview.js';
import type { ProjectSummary } from './domain/projects.js';
import type { Task } from './domain/task.js';
import type { Failure, Outcome } from './domain/update.js';
import { formatStamp, formatWhen, sayStamp, sayToday, sayWhen } from './domain/when.js';
import type { RefusalBody } from './errors.js';
import type { Ladder } from './fit.js';

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
    omitted: z.string(),
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

/** How much a list says of a task, least first. */
export const DETAILS = ['ids', 'compact', 'full'] as const;
export type Detail = (typeof DETAILS)[number];

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

/** What a list leaves out at each detail of what the next one says. */
const LEFT_OUT: Record<Detail, string[]> = {
  ids: ['all but ids and titles'],
  compact: ['descriptions and times'],
  full: [],
};

/** One row in both channels. */
function listed(each: Task, say: Say, detail: Detail) {
  const lines = [
    detail === 'ids' ? `#${each.id} ${each.title}` : line(each, say),
    ...(detail === 'full' && each.description ? [indented(each.description)] : []),
  ];
  return { json: row(each, say, detail), lines };
}

/** All rows in the detail asked for, else in less of it, else fewer of them: the cursor goes on where they end. */
export function pageAnswer(page: TaskPage, say: Say, asked: Detail): Ladder {
  const { tasks } = page;
  const total = capped(page.total);
  const least = Math.max(tasks.length, 1); // rungs of ever more rows, before those of more detail
  const details = DETAILS.slice(0, DETAILS.indexOf(asked) + 1);
  const rows = once((detail: Detail) => tasks.map((each) => listed(each, say, detail)));
  return {
    rungs: least + details.length - 1,
    at(rung) {
      const detail = details[Math.max(rung + 1 - least, 0)] ?? asked;
      const shown = rows(detail).slice(0, rung + 1);
      const missing = tasks.length - shown.length;
      const cursor = page.cursorAfter(shown.length);
      const count = shown.length === page.total ? tasksWord(total) : `${shown.length} of ${tasksWord(total)}`;
      return {
        json: { tasks: shown.map(({ json }) => json), total, ...(cursor && { next_cursor: cursor }) },
        text: [
          `${count}; ${dateline(say)}`,
          ...shown.flatMap(({ lines }) => lines),
          ...(cursor ? [`More: repeat with cursor ${cursor}`] : []),
        ].join('\n'),
        omitted: {
          what: [...(missing ? [`${missing} more of this page`] : []), ...(detail === asked ? [] : LEFT_OUT[detail])],
          how: [...(missing ? ['the cursor'] : []), ...(detail === asked ? [] : ['get_task'])].join(', '),
        },
      };
    },
  };
}

/** Remembers what a function answered. */
function once<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

/** The lists of a task that an answer may shorten, in the order in which they are kept. */
const SHORTENED = { subtasks: 'sub-tasks' } as const satisfies Partial<Record<keyof TaskDetail, string>>;
const LISTS = Object.keys(SHORTENED) as (keyof typeof SHORTENED)[];

/** How much of a task could be left out: items of its lists, and characters of its description. */
const bulk = (each: TaskDetail): number =>
  LISTS.reduce((sum, list) => sum + each[list].length, each.description?.length ?? 0);

/** A task with so much of its bulk: of what its lists hold first, then of its description. Says what is missing. */
function shortened(each: TaskDetail, keep: number): { task: TaskDetail; missing: string[] } {
  const task = { ...each };
  const missing: string[] = [];
  let left = keep;
  for (const list of LISTS) {
    const kept = each[list].slice(0, left);
    const gone = each[list].length - kept.length;
    if (gone > 0) missing.push(`${gone} of ${each[list].length} ${SHORTENED[list]} of #${each.id}`);
    task[list] = kept;
    left -= kept.length;
  }
  if (each.description && each.description.length > left) {
    // Never half of a surrogate pair.
    const kept = each.description.slice(0, left).replace(/[\ud800-\udbff]$/, '');
    const [of, gone] = [[...each.description].length, [...each.description.slice(kept.length)].length];
    task.description = `${kept}… cut: ${gone} of ${of} characters left out`;
    missing.push(`${gone} of ${of} characters of the description of #${each.id}`);
  }
  return { task, missing };
}

/**
 * Tasks whole, in the order asked for, as far as they fit: the first that does not is shortened, those after it are
 * rows of a list, then ids and titles, and at last fewer.
 */
export function detailAnswer({ tasks, failed }: { tasks: TaskDetail[]; failed: Failure[] }, say: Say): Ladder {
  const count = tasks.length;
  const whole = once((each: TaskDetail) => inFull(each, say));
  const brief = {
    compact: once((each: TaskDetail) => listed(each, say, 'compact')),
    ids: once((each: TaskDetail) => listed(each, say, 'ids')),
  };
  return {
    // One more is there, then one more is a row, then one more piece of one more is shown.
    rungs: 2 * count + tasks.reduce((sum, each) => sum + 1 + bulk(each), 0),
    at(rung) {
      const shown: ReturnType<typeof listed>[] = [];
      const missing: string[] = [];
      const less = { 'details of': [] as string[], 'all but the title of': [] as string[], 'all of': [] as string[] };
      let pieces = rung + 1 - 2 * count;
      for (const [i, each] of tasks.entries()) {
        if (pieces > 0) {
          const part = shortened(each, pieces - 1);
          missing.push(...part.missing);
          shown.push(part.missing.length > 0 ? inFull(part.task, say) : whole(each));
          pieces -= 1 + bulk(each);
        } else {
          const detail = i <= rung - count ? 'compact' : 'ids';
          if (i <= rung) shown.push(brief[detail](each));
          less[i > rung ? 'all of' : detail === 'ids' ? 'all but the title of' : 'details of'].push(`#${each.id}`);
        }
      }
      for (const [what, which] of Object.entries(less))
        if (which.length > 0) missing.push(`${what} ${which.join(', ')}`);
      const [first] = shown;
      const json =
        count === 1 && failed.length === 0 && first
          ? { task: first.json }
          : { tasks: shown.map(({ json }) => json), total: count, failed };
      return {
        json: present(json),
        text: [...shown.flatMap(({ lines }) => lines), ...failedLines(failed)].join('\n'),
        omitted: { what: missing, ...(count > 1 && { how: 'get_task with fewer ids' }) },
      };
    },
  };
}

const inFull = (each: TaskDetail, say: Say) => ({ json: detailed(each, say), lines: [paragraph(each, say)] });

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

export function projectsAnswer({ projects, total }: { projects: ProjectSummary[]; total: number }): Ladder {
  const counted = projects.map(({ name, open }) => ({ name, open: capped(open) }));
  return {
    rungs: Math.max(counted.length, 1),
    at(rung) {
      const shown = counted.slice(0, rung + 1);
      const missing = counted.length - shown.length;
      const part = total > shown.length;
      return {
        json: { projects: shown, ...(part && { total }) },
        text:
          total === 0
            ? 'No projects yet. A task makes its project by naming it.'
            : [
                ...(part ? [`The first ${shown.length} of ${total} projects:`] : []),
                ...shown.map(({ name, open }) => `+${name} · ${open} open`),
              ].join('\n'),
        omitted: { what: missing ? [`${missing} projects`] : [] },
      };
    },
  };
}

export function overviewAnswer(found: Overview, say: Say): Ladder {
  const counts = Object.fromEntries(Object.entries(found.counts).map(([name, count]) => [name, capped(count)]));
  const rowsOf = (tasks: Task[]) => tasks.map((each) => listed(each, say, 'compact'));
  const [overdue, today] = [rowsOf(found.overdue), rowsOf(found.today)];
  const list = (title: string, rows: typeof today, count: number) =>
    rows.length === 0
      ? []
      : [
          `${title}${count > rows.length ? ` (first ${rows.length} of ${capped(count)})` : ''}:`,
          ...rows.flatMap(({ lines }) => lines),
        ];
  const all = overdue.length + today.length;
  return {
    rungs: all + 1,
    at(rung) {
      // A row of each in turn, until one of them has no more.
      const late = overdue.slice(0, Math.max(Math.ceil(rung / 2), rung - today.length));
      const soon = today.slice(0, rung - late.length);
      return {
        json: present({
          user: say.user,
          timezone: say.timezone,
          now: formatStamp(say.now, say.timezone),
          counts,
          overdue: late.map(({ json }) => json),
          today: soon.map(({ json }) => json),
        }),
        text: [
          `${say.user}; ${dateline(say)}, ${sayTime(say.now, say)}`,
          `${counts.open} open, ${counts.in_progress} in progress, ${counts.overdue} overdue, ${counts.today} more due today`,
          ...list('Overdue', late, found.counts.overdue),
          ...list('Today', soon, found.counts.today),
        ].join('\n'),
        omitted: { what: rung < all ? [`${all - rung} tasks`] : [], how: 'list_tasks by due' },
      };
    },
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
