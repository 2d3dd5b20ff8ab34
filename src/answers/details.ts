import type { TaskDetail } from '../domain/get.js';
import type { Failure } from '../domain/judge.js';
import { type DetailLevels, memoized } from './budget.js';
import { failedJson, failedLines } from './refusals.js';
import { listed, type RenderContext, withoutEmpty } from './shapes.js';
import { inFull } from './task-in-full.js';

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
  [...listsOf(SHORTENED), ...TEXTS].reduce((sum, name) => sum + (task[name]?.length ?? 0), 0);

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
