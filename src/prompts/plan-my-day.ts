import { overviewAnswer } from '../answers/overview.js';
import { dueSort, formatWhen, sayWhen, type TimeContext, today } from '../domain/dates/clock.js';
import { parseWhen } from '../domain/dates/when.js';
import { refuseUnused } from '../domain/labels.js';
import { firstTasks } from '../domain/lists/list.js';
import { overview } from '../domain/overview.js';
import { dayBefore } from '../domain/recurrence/rrule.js';
import { completeLabels } from '../domain/suggest.js';
import { name, shortText, wholeNumber } from '../fields.js';
import { definePrompt, sectionsOf } from '../prompt.js';

export default definePrompt({
  name: 'plan_my_day',
  title: 'Plan my day',
  description: 'Choose what to do today, or on another day, and in which order.',
  args: {
    date: shortText().describe('today (default), tomorrow or 2026-11-24').optional(),
    minutes: wholeNumber(1, 1440).describe('how much time there is').optional(),
    label: name().describe('only tasks with this label').optional(),
  },
  complete: { label: completeLabels },
  run: async ({ date = 'today', label }, tx, { now }) => {
    const day = dayOf(date, { now, timezone: tx.timezone });
    if (label !== undefined) await refuseUnused(tx, label);
    const labels = label === undefined ? undefined : [label];
    const [all, due, earlier, doing, rest] = await Promise.all([
      overview(tx, now),
      firstTasks(tx, { labels, due: day }, { now }),
      firstTasks(tx, { labels, due: `..${dayBefore(day)}` }, { now }),
      firstTasks(tx, { labels, status: 'in_progress' }, { now }),
      firstTasks(tx, { labels, ready: true, startsBy: endOf(day, { now, timezone: tx.timezone }) }, { now, most: 100 }),
    ]);
    return { day, all, due, earlier, doing, rest };
  },
  message: ({ day, all, due, earlier, doing, rest }, context, { minutes, label }) => {
    const isToday = day === today(context).toString();
    const section = sectionsOf(context);
    const only = label === undefined ? '' : ` with @${label}`;
    const head = {
      ...(label !== undefined && { title: 'Of all my tasks' }),
      what: overviewAnswer({ ...all, overdue: [], today: [], claimed: [] }, context),
    };
    return {
      ask: [
        `Help me plan ${isToday ? 'today' : `my ${sayWhen(day, context)}`} with the tasks below.`,
        'Choose a realistic set and put it in order: what is overdue or due by then first, then what is in progress, then what matters most. Tasks that are blocked or wait with another cannot be started yet.',
        minutes === undefined
          ? 'Ask me how much time I have if that would change the plan.'
          : `I have ${minutes} minutes: the plan must fit, with some slack.`,
        'Where a task has no estimate, assume one and say so. Say which due tasks do not fit, and where to move each.',
        'Name tasks by their numbers (#12). Show me the plan before you change anything; when I agree, use update_task to move due dates.',
      ].join(' '),
      data: [
        head,
        ...section(`Due ${isToday ? 'today' : day}${only}`, due),
        ...section(`Due before${only}`, earlier),
        ...section(`In progress${only}`, doing),
        ...section(`Ready to start${only}, by priority`, rest),
      ],
    };
  },
});

/** Returns the day that a text names, as `2026-11-24`. @throws Refusal `invalid` if it names none */
function dayOf(text: string, context: TimeContext): string {
  return formatWhen(parseWhen(text, context, 'date'), context.timezone).slice(0, 10);
}

/** Returns the end of a day, or now if that is past. */
const endOf = (day: string, { now, timezone }: TimeContext): Date =>
  new Date(Math.max(now.getTime(), Date.parse(dueSort(day, timezone))));
