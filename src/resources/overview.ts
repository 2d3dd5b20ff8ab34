import { overview } from '../domain/overview.js';
import { fitted, MOST_BUDGET } from '../fit.js';
import { overviewAnswer } from '../reads.js';
import { defineResource } from '../resource.js';

export default defineResource({
  name: 'overview',
  title: 'Overview of my tasks',
  description: 'Today’s date and timezone, counts, what is overdue, due today, and claimed.',
  uri: 'taskloom://overview',
  fields: {},
  shows: () => 'everything',
  run: (_args, tx, { now }) => overview(tx, now),
  text: (found, say) => fitted(overviewAnswer(found, say), MOST_BUDGET).text,
});
