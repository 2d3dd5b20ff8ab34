import { formatStamp } from '../domain/dates/clock.js';
import { sayUnused } from '../domain/labels.js';
import { MAX_SCANNED } from '../domain/lists/bounded-scan.js';
import { capped, MAX_COUNT, type TaskPage } from '../domain/lists/list.js';
import { type Remarks, sayOnly } from '../domain/lists/remarks.js';
import { MAX_PAGED, MAX_RANKED } from '../domain/lists/search.js';
import { type DetailLevels, memoized } from './budget.js';
import { DETAILS, type Detail, listed, type RenderContext, tasksWord, todayLine } from './shapes.js';

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
  if (remarks?.severalLabels)
    return 'A task must have all these labels: list one at a time to see tasks with any of them.';
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
