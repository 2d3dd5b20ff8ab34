import { type Changed, MAX_EXAMINED } from '../domain/changed.js';
import { formatStamp } from '../domain/dates/clock.js';
import type { TaskDetail } from '../domain/get.js';
import type { Failure } from '../domain/judge.js';
import { sayUnused } from '../domain/labels.js';
import { MAX_SCANNED } from '../domain/lists/bounded-scan.js';
import { capped, MAX_COUNT, MAX_COUNT_EACH, type TaskPage } from '../domain/lists/list.js';
import { type Remarks, sayOnly } from '../domain/lists/remarks.js';
import { MAX_PAGED, MAX_RANKED } from '../domain/lists/search.js';
import type { Overview } from '../domain/overview.js';
import type { ProjectList } from '../domain/projects.js';
import type { Task } from '../domain/task.js';
import type { DetailLevels } from './budget.js';
import { failedJson, failedLines } from './refusals.js';
import {
  changeRow,
  DETAILS,
  type Detail,
  detailJson,
  detailText,
  indented,
  line,
  quoted,
  type RenderContext,
  rowJson,
  sayStamps,
  sayTime,
  tasksWord,
  todayLine,
  withoutEmpty,
} from './shapes.js';

/** What a list omits at each detail, compared with the next. */
const LEFT_OUT: Record<Detail, string[]> = {
  ids: ['all but ids and titles'],
  compact: ['descriptions and times'],
  full: [],
};

/** Returns a list's note: how its date words were read, why it is empty or incomplete, and what to do about that. */
const noteOf = (page: TaskPage, remarks?: Remarks): string | undefined =>
  [page.dateReadings && `${page.dateReadings.join('; ')}.`, remarkOf(page, remarks)].filter(Boolean).join(' ') ||
  undefined;

function remarkOf(
  { closestOnly, cut, ended, newestOnly, paused, ...page }: TaskPage,
  remarks?: Remarks,
): string | undefined {
  if (remarks?.unused) return sayUnused(remarks.unused);
  if (remarks?.elsewhere && closestOnly)
    return `No open task has all these words; these are similar. status all finds ${capped(remarks.elsewhere)} closed or archived.`;
  const only = remarks && sayOnly(remarks);
  if (only) return `${only.what}: ${only.how}.`;
  if (remarks?.namedLikeText)
    return `A ${remarks.namedLikeText} has that name: use ${remarks.namedLikeText === 'label' ? 'labels' : 'project'} instead of text.`;
  if (remarks?.excludedReady) return 'ready false lists only tasks that cannot start now: omit it to see all.';
  if (remarks?.holders)
    return remarks.holders.length > 0 ? `Claims are held by ${remarks.holders.join(', ')}.` : 'Nothing is claimed.';
  if (closestOnly) return 'No task has all these words; these are similar.';
  if (cut) return `More than ${MAX_RANKED} tasks match; only the newest ${MAX_RANKED} were ranked: narrow the search.`;
  if (newestOnly)
    return `More than ${MAX_SCANNED} tasks could match; only the newest ${MAX_SCANNED} were sorted: use more filters.`;
  if (paused) {
    const next = page.cursorAfter(page.tasks.length) ? ' Continue with the cursor.' : '';
    return `The scan limit was reached; there may be more.${next}`;
  }
  return ended ? `These are the last of the top ${MAX_PAGED} matches: narrow the search to see others.` : undefined;
}

/** Renders one row for both channels. */
function listed(task: Task, context: RenderContext, detail: Detail) {
  const lines = [
    detail === 'ids' ? `#${task.id} ${quoted(task.title)}` : line(task, context),
    ...(detail === 'full' ? [`  ${sayStamps(task, context)}`] : []),
    ...(detail === 'full' && task.description ? [indented(task.description)] : []),
  ];
  return { json: rowJson(task, context, detail), lines };
}

/**
 * Renders a page of tasks. Its levels first add rows at the lowest detail, then raise the detail of all rows. The
 * cursor continues after the last row shown.
 *
 * @param options.detail the detail asked for, that of the top level
 * @param options.least the lowest detail: if that does not fit, rows are dropped
 * @param options.dated whether to say what day it is
 */
export function pageAnswer(
  page: TaskPage,
  context: RenderContext,
  {
    detail: asked = 'compact',
    least = 'ids',
    dated = true,
    remarks,
  }: { detail?: Detail | undefined; least?: Detail; dated?: boolean; remarks?: Remarks | undefined } = {},
): DetailLevels {
  const { tasks } = page;
  const note = noteOf(page, remarks);
  const total = page.cut || (page.atLeast && page.total <= MAX_COUNT) ? `${page.total}+` : capped(page.total);
  const rowLevels = Math.max(tasks.length, 1); // levels up to this one add rows, higher ones detail
  const details = DETAILS.slice(DETAILS.indexOf(least), DETAILS.indexOf(asked) + 1);
  const rows = memoized((detail: Detail) => tasks.map((each) => listed(each, context, detail)));
  return {
    levels: rowLevels + details.length - 1,
    at(level) {
      const detail = details[Math.max(level + 1 - rowLevels, 0)] ?? asked;
      const shown = rows(detail).slice(0, level + 1);
      const missing = tasks.length - shown.length;
      const cursor = page.cursorAfter(shown.length);
      const count =
        shown.length === page.total && !page.atLeast ? tasksWord(total) : `${shown.length} of ${tasksWord(total)}`;
      return {
        json: {
          now: formatStamp(context.now, context.timezone),
          tasks: shown.map(({ json }) => json),
          total,
          ...(cursor && { next_cursor: cursor }),
          ...(page.closestOnly && { near: true }),
          ...(note && { note }),
        },
        text: [
          dated ? `${count}; ${todayLine(context)}` : count,
          ...(note ? [note] : []),
          ...shown.flatMap(({ lines }) => lines),
          ...(cursor ? [`More: repeat with cursor ${cursor}`] : []),
        ].join('\n'),
        omitted: {
          what: [...(missing ? [`${missing} more on this page`] : []), ...(detail === asked ? [] : LEFT_OUT[detail])],
          how: [...(missing && cursor ? ['the cursor'] : []), ...(detail === asked ? [] : ['get_task'])].join(', '),
        },
      };
    },
  };
}

/** Memoizes a function of one argument. */
function memoized<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

/** Lists of a task that an answer may shorten, most important first. Its texts rank between the two groups. */
const BEFORE = { subtasks: 'sub-tasks', blockers: 'blockers', blocks: 'tasks that wait for it' } as const;
const AFTER = { comments: 'comments', history: 'past changes' } as const;
const SHORTENED = { ...BEFORE, ...AFTER } satisfies Partial<Record<keyof TaskDetail, string>>;
type List = keyof typeof SHORTENED;
const listsOf = (names: object) => Object.keys(names) as List[];

/** Returns how many entries a list has, including those that were not loaded. */
const countOf = ({ subtaskCount, blockCount, ...task }: TaskDetail, list: List): number =>
  ({ subtasks: subtaskCount, blocks: blockCount, comments: task.comments.at(-1)?.place, blockers: 0, history: 0 })[
    list
  ] || task[list].length;

/** Texts of a task that an answer may truncate. */
const TEXTS = ['note', 'description'] as const;

/** Returns how much of a task can be left out: list entries plus characters of texts. */
const pieceCount = (task: TaskDetail): number =>
  sum([...listsOf(SHORTENED).map((list) => task[list].length), ...TEXTS.map((text) => task[text]?.length ?? 0)]);

/** Returns a task reduced to `keep` list entries and characters, and descriptions of what is missing. */
function shortened(task: TaskDetail, keep: number): { task: TaskDetail; missing: string[] } {
  const short = { ...task };
  const missing: string[] = [];
  let left = keep;
  const shorten = (list: List) => {
    const all: unknown[] = task[list];
    // Comments are ordered oldest first; keep the latest.
    const shown = list === 'comments' ? all.slice(Math.max(all.length - left, 0)) : all.slice(0, left);
    if (shown.length < all.length) {
      const total = countOf(task, list);
      missing.push(`${total - shown.length} of ${total} ${SHORTENED[list]} of #${task.id}`);
    }
    Object.assign(short, { [list]: shown });
    left -= shown.length;
  };
  for (const list of listsOf(BEFORE)) shorten(list);
  for (const name of TEXTS) {
    const text = task[name];
    if (text && text.length > left) {
      // Do not split a surrogate pair.
      const kept = text.slice(0, left).replace(/[\ud800-\udbff]$/, '');
      const [of, gone] = [[...text].length, [...text.slice(kept.length)].length];
      short[name] = `${kept}…`;
      missing.push(`${gone} of ${of} characters of the ${name} of #${task.id}`);
    }
    left -= Math.min(left, text?.length ?? 0);
  }
  for (const list of listsOf(AFTER)) shorten(list);
  return { task: short, missing };
}

/**
 * Renders tasks in full, in the order asked for. If that does not fit, the first that does not is shortened and those
 * after it become list rows, then ids and titles; at the lowest levels, only the first ones are shown.
 */
export function detailAnswer(
  { tasks, failed }: { tasks: TaskDetail[]; failed: Failure[] },
  context: RenderContext,
): DetailLevels {
  const count = tasks.length;
  const whole = memoized((task: TaskDetail) => inFull(task, context));
  const rowOf = {
    compact: memoized((task: TaskDetail) => listed(task, context, 'compact')),
    ids: memoized((task: TaskDetail) => listed(task, context, 'ids')),
  };
  return {
    // Levels add a title per task, then candidates of failures and a row per task, then list entries and characters of
    // one task after another.
    levels: 2 * count + tasks.reduce((sum, task) => sum + 1 + pieceCount(task), 0),
    at(level) {
      const shown: ReturnType<typeof listed>[] = [];
      const missing: string[] = [];
      const reduced = {
        'details of': [] as string[],
        'all but the title of': [] as string[],
        'all of': [] as string[],
      };
      let remaining = level + 1 - 2 * count;
      for (const [i, task] of tasks.entries()) {
        if (remaining > 0) {
          const part = shortened(task, remaining - 1);
          missing.push(...part.missing);
          shown.push(part.missing.length > 0 ? inFull(part.task, context) : whole(task));
          remaining -= 1 + pieceCount(task);
        } else {
          const detail = i <= level - count ? 'compact' : 'ids';
          if (i <= level) shown.push(rowOf[detail](task));
          reduced[i > level ? 'all of' : detail === 'ids' ? 'all but the title of' : 'details of'].push(`#${task.id}`);
        }
      }
      for (const [what, which] of Object.entries(reduced))
        if (which.length > 0) missing.push(`${what} ${which.join(', ')}`);
      const [first] = shown;
      const failures = level < count ? failed.map(({ candidates, ...failure }) => failure) : failed;
      const json =
        count === 1 && failed.length === 0 && first
          ? { task: first.json }
          : { tasks: shown.map(({ json }) => json), total: count, failed: failedJson(failures) };
      return {
        json: withoutEmpty(json),
        text: [...shown.flatMap(({ lines }) => lines), ...failedLines(failures)].join('\n'),
        omitted: { what: missing, ...(count > 1 && { how: 'get_task with fewer ids' }) },
      };
    },
  };
}

const inFull = (task: TaskDetail, context: RenderContext) => ({
  json: detailJson(task, context),
  lines: [detailText(task, context)],
});

/** Renders projects and labels. Lower levels drop the labels, then the last projects. */
export function projectsAnswer({ projects, total, archived, labels, moreLabels }: ProjectList): DetailLevels {
  const counted = projects.map(({ name, open, completed }) => ({
    name,
    open: capped(open, MAX_COUNT_EACH),
    ...(completed !== undefined && { completed: capped(completed, MAX_COUNT_EACH) }),
  }));
  return {
    levels: Math.max(counted.length, 1) + (labels.length > 0 ? 1 : 0),
    at(level) {
      const shown = counted.slice(0, level + 1);
      const missing = counted.length - shown.length;
      const part = total > shown.length;
      const named = level >= Math.max(counted.length, 1) ? labels : [];
      const lines =
        total === 0
          ? [archived ? 'No archived projects.' : 'No active projects. Naming a project in a task creates it.']
          : [
              ...(part ? [`The first ${shown.length} of ${total} projects:`] : []),
              ...shown.map(
                ({ name, open, completed }) =>
                  `+${name} · ${open} open${completed === undefined ? '' : ` · ${completed} completed`}`,
              ),
            ];
      const used = named.map((label) => `@${label}`).join(', ');
      return {
        json: {
          projects: shown,
          ...(part && { total }),
          ...(named.length > 0 && { labels: named, ...(moreLabels && { more_labels: true }) }),
        },
        text: [...lines, ...(used ? [`Labels: ${used}${moreLabels ? ' and more' : ''}`] : [])].join('\n'),
        omitted: {
          what: [...(missing ? [`${missing} projects`] : []), ...(named.length < labels.length ? ['labels'] : [])],
        },
      };
    },
  };
}

/** Renders the overview. Lower levels shorten its lists evenly; the counts are always shown. */
export function overviewAnswer(found: Overview, context: RenderContext): DetailLevels {
  const counts = Object.fromEntries(
    Object.entries(found.counts).map(([name, count]) => [name, capped(count, MAX_COUNT_EACH)]),
  );
  const lists = (['overdue', 'today', 'claimed'] as const).map((name) => ({
    name,
    count: found.counts[name],
    rows: found[name].map((each) => listed(each, context, 'compact')),
  }));
  const heading = (name: string) => `${name[0]?.toUpperCase()}${name.slice(1)}`;
  const total = lists.reduce((sum, { rows }) => sum + rows.length, 0);
  return {
    levels: total + 1,
    at(level) {
      const shares = roundRobin(
        level,
        lists.map(({ rows }) => rows.length),
      );
      const shown = lists.map(({ rows, ...list }, i) => ({ ...list, rows: rows.slice(0, shares[i]) }));
      return {
        json: withoutEmpty({
          user: context.user,
          timezone: context.timezone,
          now: formatStamp(context.now, context.timezone),
          counts,
          ...Object.fromEntries(shown.map(({ name, rows }) => [name, rows.map(({ json }) => json)])),
        }),
        text: [
          `${context.user}; ${todayLine(context)}, ${sayTime(context.now, context)}`,
          Object.entries(counts)
            .filter(([name, count]) => count !== 0 || name === 'open')
            .map(([name, count]) => `${count} ${name === 'today' ? 'still due today' : name.replace('_', ' ')}`)
            .join(', '),
          ...shown.flatMap(({ name, count, rows }) =>
            rows.length === 0
              ? []
              : [
                  `${heading(name)}${count > rows.length ? ` (first ${rows.length} of ${capped(count, MAX_COUNT_EACH)})` : ''}:`,
                  ...rows.flatMap(({ lines }) => lines),
                ],
          ),
        ].join('\n'),
        omitted: { what: level < total ? [tasksWord(total - level)] : [], how: 'list_tasks by due or claimed_by' },
      };
    },
  };
}

/** Distributes `items` over lists of the given sizes round-robin. Returns how many each list gets. */
function roundRobin(items: number, sizes: number[]): number[] {
  const shares = sizes.map(() => 0);
  for (let left = Math.min(items, sum(sizes)), i = 0; left > 0; i = (i + 1) % sizes.length)
    if ((shares[i] as number) < (sizes[i] as number)) {
      shares[i] = (shares[i] as number) + 1;
      left -= 1;
    }
  return shares;
}

const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);

/** Groups consecutive changes by the same author in the same minute, so that `by` and `at` are stated once. */
function inGroups(rows: ReturnType<typeof changeRow>[]) {
  const groups: { by: string; at: string; did: object[] }[] = [];
  for (const { by, at, json } of rows) {
    const last = groups.at(-1);
    if (last?.by === by && last.at === at) last.did.push(json);
    else groups.push({ by, at, did: [json] });
  }
  return groups;
}

/**
 * Renders changes. After a cursor, the oldest are kept if not all fit, and the answer's cursor is that of the last one
 * shown. Without a cursor, the latest are kept, and the answer's cursor is the newest change.
 */
export function changedAnswer(
  { deltas, upTo, newest }: Changed,
  context: RenderContext,
  { cursor, not_by }: { cursor?: number; not_by?: string },
): DetailLevels {
  const rows = deltas.map((each) => ({ ...changeRow(each, context), seq: each.seq }));
  const count = rows.length;
  const latest = cursor === undefined;
  const where = latest
    ? newest > MAX_EXAMINED && ` in the newest ${MAX_EXAMINED} changes`
    : upTo < newest && ` up to ${upTo}`;
  const nothing = `Nothing${not_by === undefined ? '' : ' else'} changed${newest === 0 ? ' yet' : where || ''}.`;
  return {
    levels: Math.max(count, 1),
    at(level) {
      const shown = latest ? rows.slice(-(level + 1)) : rows.slice(0, level + 1);
      const missing = count - shown.length;
      const next = latest || missing === 0 ? upTo : (shown.at(-1)?.seq ?? upTo);
      const goesOn = next < newest;
      const changes = `${shown.length} ${shown.length === 1 ? 'change' : 'changes'}`;
      return {
        json: { changes: inGroups(shown), cursor: next, ...(goesOn && { more: true }) },
        text: [
          count === 0 ? nothing : `${changes}; ${todayLine(context)}`,
          ...shown.flatMap(({ head, line }, i) => (head === shown[i - 1]?.head ? [line] : [head, line])),
          `cursor: ${next}${goesOn ? ', and there is more after it' : ''}`,
        ].join('\n'),
        omitted: {
          what: missing ? [`${missing}${upTo < newest ? '+' : ''} ${latest ? 'earlier' : 'later'} changes`] : [],
          ...(goesOn && { how: 'the cursor' }),
        },
      };
    },
  };
}
