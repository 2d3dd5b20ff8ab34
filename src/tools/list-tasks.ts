import { DETAILS } from '../answers/shapes.js';
import { pageAnswer } from '../answers/task-list.js';
import { actorsCalled } from '../domain/actors.js';
import { LIST_STATUSES } from '../domain/lists/filter.js';
import { listTasks } from '../domain/lists/list.js';
import { refuseContradictions, remarksOn } from '../domain/lists/remarks.js';
import { SORTS } from '../domain/lists/sort.js';
import { clampedWhole, flag, idOrNone, labels, nameOrNone, oneOf, priority, shortText } from '../fields.js';
import { defineTool } from '../tool.js';

const DUE_RANGE = 'due takes a range: 2026-12-01..2026-12-10, or with one end only: 2026-12-01.. or ..2026-12-10.';

export default defineTool({
  name: 'list_tasks',
  title: 'List tasks',
  effect: 'read',
  description:
    'Find tasks; all filters must match. Use it to learn ids before acting on them. For today at a glance use get_overview.',
  input: {
    status: oneOf(LIST_STATUSES, {
      aliases: {
        pending: 'open',
        todo: 'open',
        active: 'open',
        done: 'completed',
        trash: 'deleted',
        any: 'all',
        canceled: 'cancelled',
      },
      otherwise:
        '; for overdue ones use due overdue, for those that can start now use ready true, for blocked ones ready false',
      joint: [
        [['open', 'in_progress'], 'open'],
        [['not_started', 'in_progress'], 'open'],
      ],
    })
      .describe('open by default, completed with completed_since; deleted: the trash')
      .optional(),
    text: shortText().describe('words of title, description or one comment; "a phrase", or, -word').optional(),
    project: nameOrNone().describe('a name, or none').optional(),
    labels: labels().describe('or none').optional(),
    priority: priority('none').optional(),
    due: shortText().describe('overdue, today, week (7 days), none, a date, or from..to').optional(),
    parent: idOrNone().describe('or none').optional(),
    ready: flag()
      .describe(
        'can start now: open, unclaimed, unblocked, no open sub-tasks, start reached; no parent is blocked or starts later',
      )
      .optional(),
    claimed_by: shortText().describe('a name, me, any or none').optional(),
    changed_since: shortText().describe('date or time, such as yesterday').optional(),
    completed_since: shortText().optional(),
    sort: oneOf(SORTS, { aliases: { created: 'newest', created_at: 'newest', due_date: 'due' } })
      .describe(
        'default: best match with text, due with due, priority with ready, latest completed, manual with parent, else newest; manual: by hand',
      )
      .optional(),
    detail: oneOf(DETAILS).optional(),
    limit: clampedWhole(100).describe('25 by default, at most 100').optional(),
    cursor: shortText(2000).describe('next_cursor of the same list').optional(),
  },
  aliases: { query: 'text', search: 'text' },
  instead: {
    ...Object.fromEntries(
      ['duebefore', 'dueafter', 'duefrom', 'dueto', 'dueuntil', 'duestart', 'dueend'].map((field) => [
        field,
        DUE_RANGE,
      ]),
    ),
    ids: 'get_task takes ids.',
    includecompleted: 'status all lists completed tasks too.',
    blocked: 'ready false lists tasks that cannot start now.',
  },
  output: ['now', 'tasks', 'next_cursor', 'near', 'note'],
  async run({ detail, limit = 25, ...filter }, tx, { now, secret, callerName }) {
    const input = { ...filter, limit, claimed_by: actorsCalled(filter.claimed_by, callerName) };
    refuseContradictions(input);
    const page = await listTasks(tx, input, { now, secret, descriptions: detail === 'full' });
    return { ...page, remarks: await remarksOn(tx, page, input, now) };
  },
  answer: ({ remarks, ...page }, context, { detail }) => pageAnswer(page, context, { detail, remarks }),
});
