import { type Changed, type Delta, MAX_EXAMINED } from '../domain/changed.js';
import { formatStamp, sayStamp } from '../domain/dates/clock.js';
import type { DetailLevels } from './budget.js';
import { stepsText } from './changes-in-words.js';
import { quoted, type RenderContext, todayLine, withoutEmpty } from './shapes.js';

/** Renders what one write did to a task or project, for both channels. `head` says when and by whom. */
function changeRow({ entity, id, name, steps, by, at }: Delta, context: RenderContext) {
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
