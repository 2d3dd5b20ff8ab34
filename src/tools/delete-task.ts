import { deleteTasks } from '../domain/update.js';
import { ids } from '../fields.js';
import { outcomeAnswer } from '../shapes.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'delete_task',
  title: 'Delete task',
  effect: 'delete',
  description:
    'Move one or many tasks, with their sub-tasks, to the trash. For work that is done or dropped, complete or cancel instead.',
  input: { ids: ids() },
  aliases: { id: 'ids' },
  output: ['task', 'tasks', 'failed'],
  run: ({ ids }) => deleteTasks(ids),
  answer: (outcome, say) => outcomeAnswer(outcome, say, 'Deleted'),
});
