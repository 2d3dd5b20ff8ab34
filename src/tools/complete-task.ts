import { updateTasks } from '../domain/update.js';
import { ids } from '../fields.js';
import { outcomeAnswer } from '../shapes.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'complete_task',
  title: 'Complete task',
  effect: 'update',
  description: 'Mark one or many tasks as done. Doing it again changes nothing. To reopen, use update_task.',
  input: { ids: ids() },
  aliases: { id: 'ids' },
  output: ['task', 'tasks', 'failed'],
  run: ({ ids }) => updateTasks(ids, { status: 'completed' }),
  answer: (outcome, say) => outcomeAnswer(outcome, say, 'Completed'),
});
