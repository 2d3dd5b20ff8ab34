import { overview } from '../domain/overview.js';
import { overviewAnswer } from '../reads.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'get_overview',
  title: 'Get overview',
  effect: 'read',
  description: 'Where things stand: today’s date and timezone, counts, what is overdue and what is due today.',
  input: {},
  output: ['user', 'timezone', 'now', 'counts', 'overdue', 'today'],
  run: (_args, tx, { now }) => overview(tx, now),
  answer: overviewAnswer,
});
