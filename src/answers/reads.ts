import type { Changed } from '../domain/changed.js';
import { formatStamp } from '../domain/dates/when.js';
import type { TaskDetail } from '../domain/get.js';
import type { Failure } from '../domain/judge.js';
import { sayUnused } from '../domain/labels.js';
import { MAX_SCANNED } from '../domain/lists/bounded-scan.js';
import { COUNTED, COUNTED_EACH, type TaskPage } from '../domain/lists/list.js';
import type { Remarks } from '../domain/lists/remarks.js';
import { PAGED, RANKED } from '../domain/lists/search.js';
import type { Overview } from '../domain/overview.js';
import type { ProjectList } from '../domain/projects.js';
import type { Task } from '../domain/task.js';
import type { DetailLevels } from './budget.js';
import {
  capped,
  changeRow,
  DETAILS,
  type Detail,
  dateline,
  detailed,
  failedJson,
  failedLines,
  indented,
  line,
  paragraph,
  present,
  type RenderContext,
  row,
  sayTime,
  tasksWord,
} from './shapes.js';

/** What a list leaves out at each detail of what the next one says. */
const LEFT_OUT: Record<Detail, string[]> = {
  ids: ['all but ids and titles'],
  compact: ['descriptions and times'],
  full: [],
};

/** How the words of a list were read, what it leaves out, and what to do about it. */
const noteOf = (page: TaskPage, remarks?: Remarks): string | undefined =>
  [page.meant && `${page.meant.join('; ')}.`, lackOf(page, remarks)].filter(Boolean).join(' ') || undefined;

function lackOf({ near, cut, ended, sampled, paused, ...page }: TaskPage, remarks?: Remarks): string | undefined {
  if (remarks?.unused) return sayUnused(remarks.unused);
  if (remarks?.elsewhere && near)
    return `Nothing open has these words: these tasks come near. status all finds ${capped(remarks.elsewhere)} closed or archived.`;
  if (remarks?.elsewhere) return `Only what is closed or archived fits: status all finds ${capped(remarks.elsewhere)}.`;
  if (remarks?.trashed) return `Only what is in the trash fits: status deleted finds ${capped(remarks.trashed)}.`;
  if (remarks?.called)
    return `There is a ${remarks.called} of that name: ask with ${remarks.called === 'label' ? 'labels' : 'project'} instead of text.`;
  if (remarks?.unready) return 'ready false asks for those that cannot be started: leave it out to see all.';
  if (remarks?.holders)
    return remarks.holders.length > 0 ? `There are claims of ${remarks.holders.join(', ')}.` : 'Nothing is claimed.';
  if (near) return 'Nothing has these words: these tasks come near.';
  if (cut) return `More than ${RANKED} tasks match, and only the newest ${RANKED} were looked at: narrow the search.`;
  if (sampled)
    return `More than ${MAX_SCANNED} tasks could match, and only the newest ${MAX_SCANNED} were sorted: narrow the list.`;
  if (paused) {
    const goesOn = page.cursorAfter(page.tasks.length) ? ' the list goes on only with the cursor:' : '';
    return `So many others were looked at that${goesOn} there may be more.`;
  }
  return ended ? `These are the last of the ${PAGED} best: narrow the search to see others.` : undefined;
}

/** One row in both channels. */
function listed(each: Task, say: RenderContext, detail: Detail) {
  const lines = [
    detail === 'ids' ? `#${each.id} ${each.title}` : line(each, say),
    ...(detail === 'full' && each.description ? [indented(each.description)] : []),
  ];
  return { json: row(each, say, detail), lines };
}

/**
 * All rows in the detail asked for, else in less of it, else fewer of them: the cursor goes on where they end.
 *
 * @param detail what is asked for
 * @param least the detail below which rows are left out instead
 */
export function pageAnswer(
  page: TaskPage,
  say: RenderContext,
  {
    detail: asked = 'compact',
    least = 'ids',
    remarks,
  }: { detail?: Detail | undefined; least?: Detail; remarks?: Remarks | undefined } = {},
): DetailLevels {
  const { tasks } = page;
  const note = noteOf(page, remarks);
  const total = page.cut || (page.atLeast && page.total <= COUNTED) ? `${page.total}+` : capped(page.total);
  const lowest = Math.max(tasks.length, 1); // levels of ever more rows, before those of more detail
  const details = DETAILS.slice(DETAILS.indexOf(least), DETAILS.indexOf(asked) + 1);
  const rows = memoized((detail: Detail) => tasks.map((each) => listed(each, say, detail)));
  return {
    levels: lowest + details.length - 1,
    at(level) {
      const detail = details[Math.max(level + 1 - lowest, 0)] ?? asked;
      const shown = rows(detail).slice(0, level + 1);
      const missing = tasks.length - shown.length;
      const cursor = page.cursorAfter(shown.length);
      const count =
        shown.length === page.total && !page.atLeast ? tasksWord(total) : `${shown.length} of ${tasksWord(total)}`;
      return {
        json: {
          now: formatStamp(say.now, say.timezone),
          tasks: shown.map(({ json }) => json),
          total,
          ...(cursor && { next_cursor: cursor }),
          ...(page.near && { near: true }),
          ...(note && { note }),
        },
        text: [
          `${count}; ${dateline(say)}`,
          ...(note ? [note] : []),
          ...shown.flatMap(({ lines }) => lines),
          ...(cursor ? [`More: repeat with cursor ${cursor}`] : []),
        ].join('\n'),
        omitted: {
          what: [...(missing ? [`${missing} more of this page`] : []), ...(detail === asked ? [] : LEFT_OUT[detail])],
          how: [...(missing && cursor ? ['the cursor'] : []), ...(detail === asked ? [] : ['get_task'])].join(', '),
        },
      };
    },
  };
}

/** Remembers what a function answered. */
function memoized<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

/** The lists of a task that an answer may shorten, in the order in which they are kept: before its description, and after. */
const BEFORE = { subtasks: 'sub-tasks', blockers: 'blockers', blocks: 'tasks that wait for it' } as const;
const AFTER = { comments: 'comments', history: 'past changes' } as const;
const SHORTENED = { ...BEFORE, ...AFTER } satisfies Partial<Record<keyof TaskDetail, string>>;
type List = keyof typeof SHORTENED;
const listsOf = (names: object) => Object.keys(names) as List[];

/** How many there are in a list, of which not all may have been looked up. */
const countOf = ({ subtaskCount, blockCount, commentCount, ...each }: TaskDetail, list: List): number =>
  ({ subtasks: subtaskCount, blocks: blockCount, comments: commentCount, blockers: 0, history: 0 })[list] ||
  each[list].length;

/** Texts of a task that an answer may cut short. */
const TEXTS = ['note', 'description'] as const;

/** How much of a task could be left out: items of its lists, and characters of its texts. */
const bulk = (each: TaskDetail): number =>
  sum([...listsOf(SHORTENED).map((list) => each[list].length), ...TEXTS.map((text) => each[text]?.length ?? 0)]);

/** A task with so much of its bulk, and what is missing. */
function shortened(each: TaskDetail, keep: number): { task: TaskDetail; missing: string[] } {
  const task = { ...each };
  const missing: string[] = [];
  let left = keep;
  const shorten = (list: List) => {
    const all: unknown[] = each[list];
    // The latest comments are the last, and the ones to keep.
    const kept = list === 'comments' ? all.slice(Math.max(all.length - left, 0)) : all.slice(0, left);
    if (kept.length < all.length) {
      const there = countOf(each, list);
      missing.push(`${there - kept.length} of ${there} ${SHORTENED[list]} of #${each.id}`);
    }
    Object.assign(task, { [list]: kept });
    left -= kept.length;
  };
  for (const list of listsOf(BEFORE)) shorten(list);
  for (const name of TEXTS) {
    const text = each[name];
    if (text && text.length > left) {
      // Never half of a surrogate pair.
      const kept = text.slice(0, left).replace(/[\ud800-\udbff]$/, '');
      const [of, gone] = [[...text].length, [...text.slice(kept.length)].length];
      task[name] = `${kept}…`;
      missing.push(`${gone} of ${of} characters of the ${name} of #${each.id}`);
    }
    left -= Math.min(left, text?.length ?? 0);
  }
  for (const list of listsOf(AFTER)) shorten(list);
  return { task, missing };
}

/**
 * Tasks whole, in the order asked for, as far as they fit: the first that does not is shortened, those after it are
 * rows of a list, then ids and titles, and at last fewer.
 */
export function detailAnswer(
  { tasks, failed }: { tasks: TaskDetail[]; failed: Failure[] },
  say: RenderContext,
): DetailLevels {
  const count = tasks.length;
  const whole = memoized((each: TaskDetail) => inFull(each, say));
  const brief = {
    compact: memoized((each: TaskDetail) => listed(each, say, 'compact')),
    ids: memoized((each: TaskDetail) => listed(each, say, 'ids')),
  };
  return {
    // One more is there, then one more is a row, then one more piece of one more is shown.
    levels: 2 * count + tasks.reduce((sum, each) => sum + 1 + bulk(each), 0),
    at(level) {
      const shown: ReturnType<typeof listed>[] = [];
      const missing: string[] = [];
      const less = { 'details of': [] as string[], 'all but the title of': [] as string[], 'all of': [] as string[] };
      let pieces = level + 1 - 2 * count;
      for (const [i, each] of tasks.entries()) {
        if (pieces > 0) {
          const part = shortened(each, pieces - 1);
          missing.push(...part.missing);
          shown.push(part.missing.length > 0 ? inFull(part.task, say) : whole(each));
          pieces -= 1 + bulk(each);
        } else {
          const detail = i <= level - count ? 'compact' : 'ids';
          if (i <= level) shown.push(brief[detail](each));
          less[i > level ? 'all of' : detail === 'ids' ? 'all but the title of' : 'details of'].push(`#${each.id}`);
        }
      }
      for (const [what, which] of Object.entries(less))
        if (which.length > 0) missing.push(`${what} ${which.join(', ')}`);
      const [first] = shown;
      const json =
        count === 1 && failed.length === 0 && first
          ? { task: first.json }
          : { tasks: shown.map(({ json }) => json), total: count, failed: failedJson(failed) };
      return {
        json: present(json),
        text: [...shown.flatMap(({ lines }) => lines), ...failedLines(failed)].join('\n'),
        omitted: { what: missing, ...(count > 1 && { how: 'get_task with fewer ids' }) },
      };
    },
  };
}

const inFull = (each: TaskDetail, say: RenderContext) => ({ json: detailed(each, say), lines: [paragraph(each, say)] });

export function projectsAnswer({ projects, total, archived }: ProjectList): DetailLevels {
  const counted = projects.map(({ name, open, completed }) => ({
    name,
    open: capped(open, COUNTED_EACH),
    ...(completed !== undefined && { completed: capped(completed, COUNTED_EACH) }),
  }));
  return {
    levels: Math.max(counted.length, 1),
    at(level) {
      const shown = counted.slice(0, level + 1);
      const missing = counted.length - shown.length;
      const part = total > shown.length;
      return {
        json: { projects: shown, ...(part && { total }) },
        text:
          total === 0
            ? archived
              ? 'No archived projects.'
              : 'No projects, archived ones aside. A task makes its project by naming it.'
            : [
                ...(part ? [`The first ${shown.length} of ${total} projects:`] : []),
                ...shown.map(
                  ({ name, open, completed }) =>
                    `+${name} · ${open} open${completed === undefined ? '' : ` · ${completed} completed`}`,
                ),
              ].join('\n'),
        omitted: { what: missing ? [`${missing} projects`] : [] },
      };
    },
  };
}

export function overviewAnswer(found: Overview, say: RenderContext): DetailLevels {
  const counts = Object.fromEntries(
    Object.entries(found.counts).map(([name, count]) => [name, capped(count, COUNTED_EACH)]),
  );
  const lists = (['overdue', 'today', 'claimed'] as const).map((name) => ({
    name,
    count: found.counts[name],
    rows: found[name].map((each) => listed(each, say, 'compact')),
  }));
  const title = (name: string) => `${name[0]?.toUpperCase()}${name.slice(1)}`;
  const all = lists.reduce((sum, { rows }) => sum + rows.length, 0);
  return {
    levels: all + 1,
    at(level) {
      const shares = inTurn(
        level,
        lists.map(({ rows }) => rows.length),
      );
      const shown = lists.map(({ rows, ...list }, i) => ({ ...list, rows: rows.slice(0, shares[i]) }));
      return {
        json: present({
          user: say.user,
          timezone: say.timezone,
          now: formatStamp(say.now, say.timezone),
          counts,
          ...Object.fromEntries(shown.map(({ name, rows }) => [name, rows.map(({ json }) => json)])),
        }),
        text: [
          `${say.user}; ${dateline(say)}, ${sayTime(say.now, say)}`,
          Object.entries(counts)
            .filter(([name, count]) => count !== 0 || name === 'open')
            .map(([name, count]) => `${count} ${name === 'today' ? 'still due today' : name.replace('_', ' ')}`)
            .join(', '),
          ...shown.flatMap(({ name, count, rows }) =>
            rows.length === 0
              ? []
              : [
                  `${title(name)}${count > rows.length ? ` (first ${rows.length} of ${capped(count, COUNTED_EACH)})` : ''}:`,
                  ...rows.flatMap(({ lines }) => lines),
                ],
          ),
        ].join('\n'),
        omitted: { what: level < all ? [tasksWord(all - level)] : [], how: 'list_tasks by due or claimed_by' },
      };
    },
  };
}

/** How many items each of some lists gets, if they get one in turn, as far as they have any, until all are given out. */
function inTurn(items: number, sizes: number[]): number[] {
  const shares = sizes.map(() => 0);
  for (let left = Math.min(items, sum(sizes)), i = 0; left > 0; i = (i + 1) % sizes.length)
    if ((shares[i] as number) < (sizes[i] as number)) {
      shares[i] = (shares[i] as number) + 1;
      left -= 1;
    }
  return shares;
}

const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
/** What the same one did in the same minute, one after the other, says once who and when. */
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
 * What came after a cursor, as far as it fits, and the cursor that stands behind the last one shown. Without a
 * cursor the latest are kept, and the answer's stands behind all there is.
 */
export function changedAnswer(
  { deltas, newest, more }: Changed,
  say: RenderContext,
  { cursor }: { cursor?: number },
): DetailLevels {
  const rows = deltas.map((each) => ({ ...changeRow(each, say), seq: each.seq }));
  const count = rows.length;
  const latest = cursor === undefined;
  return {
    levels: Math.max(count, 1),
    at(level) {
      const shown = latest ? rows.slice(-(level + 1)) : rows.slice(0, level + 1);
      const missing = count - shown.length;
      const goesOn = more || (!latest && missing > 0);
      const next = goesOn ? (shown.at(-1)?.seq ?? newest) : newest;
      const changes = `${shown.length} ${shown.length === 1 ? 'change' : 'changes'}`;
      return {
        json: { changes: inGroups(shown), cursor: next, ...(goesOn && { more: true }) },
        text: [
          count === 0 ? `Nothing changed${latest ? ' yet' : ''}.` : `${changes}; ${dateline(say)}`,
          ...shown.flatMap(({ head, line }, i) => (head === shown[i - 1]?.head ? [line] : [head, line])),
          `cursor: ${next}${goesOn ? ', and there is more after it' : ''}`,
        ].join('\n'),
        omitted: {
          what: missing ? [`${missing}${more ? '+' : ''} ${latest ? 'earlier' : 'later'} changes`] : [],
          ...(goesOn && { how: 'the cursor' }),
        },
      };
    },
  };
}
