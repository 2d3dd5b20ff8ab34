import { outcomeAnswer } from '../answers/writes.js';
import { updateTasks } from '../domain/update.js';
import { guard, ids } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'complete_task',
  title: 'Complete task',
  effect: 'update',
  description:
    'Mark one or many tasks as done. Repeating it changes nothing. Returns what became ready, and the next task of a series. To reopen, use update_task.',
  input: { ids: ids(), ...guard },
  instead: Object.fromEntries(
    ['comment', 'note', 'notes'].map((field) => [
      field,
      'add_comment adds to a task; release_task completes one with a note.',
    ]),
  ),
  output: ['task', 'tasks', 'ready', 'next', 'failed'],
  run: ({ ids, ...guard }) => updateTasks(ids, { status: 'completed' }, guard),
  answer: (outcome, context) => outcomeAnswer(outcome, context, 'Completed', 'completed'),
});
