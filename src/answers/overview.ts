import { formatStamp } from '../domain/dates/clock.js';
import { capped, MAX_COUNT_EACH } from '../domain/lists/list.js';
import type { Overview } from '../domain/overview.js';
import type { DetailLevels } from './budget.js';
import { listed, type RenderContext, sayTime, tasksWord, todayLine, withoutEmpty } from './shapes.js';

/** Renders the overview. Lower levels shorten its lists evenly; the counts are always shown, and each task in full once. */
export function overviewAnswer(found: Overview, context: RenderContext): DetailLevels {
  const counts = Object.fromEntries(
    Object.entries(found.counts).map(([name, count]) => [name, capped(count, MAX_COUNT_EACH)]),
  );
  const told = new Set<number>();
  const lists = (['overdue', 'today', 'claimed'] as const).map((name) => ({
    name,
    count: found.counts[name],
    rows: found[name].map((each) => {
      const row = listed(each, context, told.has(each.id) ? 'ids' : 'compact');
      told.add(each.id);
      return row;
    }),
  }));
  const heading = (name: string) => `${name[0]?.toUpperCase()}${name.slice(1)}`;
  const sizes = lists.map(({ rows }) => rows.length);
  const total = sum(sizes);
  return {
    levels: total + 1,
    at(level) {
      const shares = roundRobin(level, sizes);
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
