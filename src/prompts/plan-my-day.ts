import { labelNames } from '../completion.js';
import { sayUnused, unusedLabels } from '../domain/labels.js';
import { type ListInput, listTasks } from '../domain/list.js';
import { overview } from '../domain/overview.js';
import { formatWhen, parseWhen, sayWhen, today } from '../domain/when.js';
import { notFound } from '../errors.js';
import { name, whole, words } from '../fields.js';
import { definePrompt } from '../prompt.js';
import { overviewAnswer, pageAnswer } from '../reads.js';

/** A prompt is read once: there is no next page of it. */
const cursorAfter = () => undefined;

export default definePrompt({
  name: 'plan_my_day',
  title: 'Plan my day',
  description: 'Choose what to do today, or on another day, and in which order.',
  args: {
    date: words().describe('today (default), tomorrow or 2026-11-24').optional(),
    minutes: whole(1, 1440).describe('how much time there is').optional(),
    label: name().describe('only tasks with this label').optional(),
  },
  complete: { label: labelNames },
  run: async ({ date = 'today', label }, tx, { now, secret }) => {
    const day = dayOf(date, now, tx.timezone);
    const unused = label === undefined ? undefined : await unusedLabels(tx, [label]);
    if (unused) throw notFound(sayUnused(unused), 'Ask with another label, or without.');
    const list = async (filter: Omit<ListInput, 'limit'>) => {
      const labelled = { ...filter, ...(label !== undefined && { labels: [label] }) };
      return {
        ...(await listTasks(tx, { ...labelled, limit: 25 }, { now, secret, descriptions: false })),
        cursorAfter,
      };
    };
    return {
      day,
      overview: await overview(tx, now),
      due: await list({ due: `1900-01-01..${day}` }),
      doing: await list({ status: 'in_progress' }),
      rest: await list({ sort: 'priority' }),
    };
  },
  message: ({ day, overview, due, doing, rest }, say, { minutes, label }) => {
    const isToday = day === today(say.now, say.timezone).toString();
    const shown = new Set<number>();
    /** Names each task once. */
    const part = (title: string, page: typeof rest) => {
      const tasks = page.tasks.filter(({ id }) => !shown.has(id));
      for (const { id } of tasks) shown.add(id);
      return tasks.length === 0 ? [] : [{ title, what: pageAnswer({ ...page, tasks }, say, { least: 'compact' }) }];
    };
    const only = label === undefined ? '' : ` with @${label}`;
    const head = {
      ...(label !== undefined && { title: 'Of all my tasks' }),
      what: overviewAnswer({ ...overview, overdue: [], today: [], claimed: [] }, say),
    };
    return {
      ask: [
        `Help me plan ${isToday ? 'today' : `my ${sayWhen(day, say.now, say.timezone)}`} with the tasks below.`,
        'Choose a realistic set and put it in order: what is overdue or due by then first, then what is in progress, then what matters most.',
        minutes === undefined
          ? 'Ask me how much time I have if that would change the plan.'
          : `I have ${minutes} minutes: the plan must fit, with some slack.`,
        'Where a task has no estimate, assume one and say so. Say which due tasks do not fit, and where to move each.',
        'Name tasks by their numbers (#12). Show me the plan before you change anything; when I agree, use update_task to move due dates.',
      ].join(' '),
      data: [
        head,
        ...part(`Due by ${isToday ? 'today' : day} or overdue${only}`, due),
        ...part(`In progress${only}`, doing),
        ...part(`Open${only}, by priority`, rest),
      ],
    };
  },
});

/** @throws Refusal `invalid` for what is no day */
function dayOf(text: string, now: Date, timezone: string): string {
  return formatWhen(parseWhen(text, { now, timezone }, 'date'), timezone).slice(0, 10);
}
