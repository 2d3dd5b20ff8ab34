import { fitText, MAX_BUDGET } from '../answers/budget.js';
import { overviewAnswer } from '../answers/overview.js';
import { overview } from '../domain/overview.js';
import { defineResource } from '../resource.js';

export default defineResource({
  name: 'overview',
  title: 'Overview of my tasks',
  description: 'Today’s date and timezone, counts, what is overdue, due today, and claimed.',
  uri: 'taskloom://overview',
  fields: {},
  shows: () => 'everything',
  run: (_args, tx, { now }) => overview(tx, now),
  text: (found, context) => fitText(overviewAnswer(found, context), MAX_BUDGET),
});
