import { LIST_STATUSES, listTasks, SORTS } from '../domain/list.js';
import { id, labels, name, oneOf, priority, whole, words } from '../fields.js';
import { pageAnswer } from '../shapes.js';
import { defineTool } from '../tool.js';

const DETAILS = ['ids', 'compact', 'full'] as const;

export default defineTool({
  name: 'list_tasks',
  title: 'List tasks',
  effect: 'read',
  description:
    'Find tasks; all filters must match. Use it to learn ids before acting on them. For today at a glance use get_overview.',
  input: {
    status: oneOf(LIST_STATUSES, {
      todo: 'open',
      done: 'completed',
      trash: 'deleted',
      any: 'all',
      canceled: 'cancelled',
    })
      .describe('open (default) and pending: not completed; deleted: the trash')
      .optional(),
    text: words().describe('words of title, description or one comment; "a phrase", or, -not').optional(),
    project: name().optional(),
    labels: labels().optional(),
    priority: priority().optional(),
    due: words().describe('overdue, today, week, none, 2026-11-24 or 2026-11-24..2026-11-30').optional(),
    parent: id().optional(),
    changed_since: words().describe('date or time').optional(),
    completed_since: words().optional(),
    sort: oneOf(SORTS).describe('newest by default, due if due is given, best match if text is').optional(),
    detail: oneOf(DETAILS).optional(),
    limit: whole(1, 100).describe('25 by default, at most 100').optional(),
    cursor: words().describe('next_cursor of the same list').optional(),
  },
  aliases: { query: 'text', search: 'text', label: 'labels' },
  output: ['tasks', 'next_cursor'],
  run: ({ detail, limit = 25, ...filter }, tx, { now, secret }) =>
    listTasks(tx, { ...filter, limit }, { now, secret, descriptions: detail === 'full' }),
  answer: (page, say, { detail }) => pageAnswer(page, say, detail ?? 'compact'),
});
