import { overview } from '../domain/overview.js';
import { defineResource } from '../resource.js';
import { overviewAnswer } from '../shapes.js';

export default defineResource({
  name: 'overview',
  title: 'Overview of my tasks',
  description: 'Today’s date and timezone, counts, what is overdue and what is due today.',
  uri: 'taskloom://overview',
  fields: {},
  run: (_args, tx, { now }) => overview(tx, now),
  text: (found, say) => overviewAnswer(found, say).text,
});
