import { changedAnswer } from '../answers/changed.js';
import { actorsCalled } from '../domain/actors.js';
import { whatChanged } from '../domain/changed.js';
import { shortText, wholeNumber } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'what_changed',
  title: 'What changed',
  effect: 'read',
  description:
    'Who changed what after a cursor, oldest first; without one, the newest 20. Continue from the returned cursor.',
  input: {
    cursor: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
    not_by: shortText().describe('exclude changes by this name, or me').optional(),
  },
  instead: { since: 'list_tasks with changed_since finds the tasks that changed since a time.' },
  output: ['changes', 'cursor', 'more'],
  run: ({ cursor, not_by }, tx, { callerName }) => whatChanged(tx, { cursor, notBy: actorsCalled(not_by, callerName) }),
  answer: changedAnswer,
});
