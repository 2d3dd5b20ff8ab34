import { outcomeAnswer } from '../answers/writes.js';
import { deleteTasks } from '../domain/update.js';
import { guard, ids } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'delete_task',
  title: 'Delete task',
  effect: 'delete',
  description:
    'Move one or many tasks, with their sub-tasks, to the trash. For work that is done or dropped, complete or cancel instead.',
  input: { ids: ids(), ...guard },
  output: ['task', 'tasks', 'ready', 'failed'],
  run: ({ ids, ...guard }) => deleteTasks(ids, guard),
  answer: (outcome, context) => outcomeAnswer(outcome, context, 'Deleted', 'deleted'),
});
