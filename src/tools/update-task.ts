import { STATUSES } from '../domain/task.js';
import { CLEARABLE, updateTasks } from '../domain/update.js';
import { invalid } from '../errors.js';
import { ids, labels, many, oneOf, taskFields } from '../fields.js';
import { outcomeAnswer } from '../shapes.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'update_task',
  title: 'Update task',
  effect: 'update',
  description:
    'Change fields of one or many tasks. What is left out stays; clear empties fields. status pending reopens, and restores from the trash.',
  input: {
    ids: ids(),
    ...taskFields.partial().shape,
    status: oneOf(STATUSES, { done: 'completed', open: 'pending', todo: 'pending', canceled: 'cancelled' }).optional(),
    add_labels: labels().optional(),
    remove_labels: labels().optional(),
    clear: many(oneOf(CLEARABLE), CLEARABLE.length, ',').optional(),
  },
  aliases: { id: 'ids' },
  output: ['task', 'tasks', 'failed'],
  run: ({ ids, ...patch }) => {
    if (Object.keys(patch).length === 0)
      throw invalid('Nothing to change.', 'Give at least one field beside ids. To empty one, name it in clear.');
    const both = patch.clear?.find((field) => patch[field as keyof typeof patch] !== undefined);
    if (both) throw invalid(`${both} is both given and cleared.`, 'Choose one.');
    return updateTasks(ids, patch);
  },
  answer: (outcome, say) => outcomeAnswer(outcome, say, 'Updated'),
});
