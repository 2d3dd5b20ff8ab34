import { overviewAnswer } from '../answers/overview.js';
import { overview } from '../domain/overview.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'get_overview',
  title: 'Get overview',
  effect: 'read',
  description: 'Where things stand: today’s date and timezone, counts, what is overdue, due today, and claimed.',
  input: {},
  output: ['user', 'timezone', 'now', 'counts', 'overdue', 'today', 'claimed'],
  run: (_args, tx, { now }) => overview(tx, now),
  answer: overviewAnswer,
});
