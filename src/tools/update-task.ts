import { MAX_LABELS, STATUSES } from '../domain/task.js';
import { CLEARABLE, updateTasks } from '../domain/update.js';
import { invalid } from '../errors.js';
import { id, many, name, oneOf } from '../fields.js';
import { outcomeAnswer } from '../shapes.js';
import { defineTool } from '../tool.js';
import { taskFields } from './add-task.js';

/** One or many tasks by number. */
export const ids = () => many(id(), 100);

export default defineTool({
  name: 'update_task',
  title: 'Update task',
  effect: 'update',
  description:
    'Change fields of one or many tasks. What is left out stays; clear empties fields. status pending reopens, and restores from the trash.',
  input: {
    ids: ids(),
    title: taskFields.title.optional(),
    description: taskFields.description.optional(),
    status: oneOf(STATUSES, { done: 'completed', open: 'pending', todo: 'pending', canceled: 'cancelled' }).optional(),
    priority: taskFields.priority.optional(),
    due: taskFields.due.optional(),
    start: taskFields.start.optional(),
    estimate_minutes: taskFields.estimate_minutes.optional(),
    project: taskFields.project.optional(),
    parent: taskFields.parent.optional(),
    add_labels: many(name(), MAX_LABELS).optional(),
    remove_labels: many(name(), MAX_LABELS).optional(),
    clear: many(oneOf(CLEARABLE), CLEARABLE.length).optional(),
  },
  aliases: { id: 'ids' },
  output: ['task', 'tasks', 'total', 'failed'],
  run: ({ ids, ...patch }) => {
    if (Object.keys(patch).length === 0) throw invalid('Nothing to change.', 'Give at least one field beside ids.');
    const both = patch.clear?.find((field) => patch[field as keyof typeof patch] !== undefined);
    if (both) throw invalid(`${both} is both given and cleared.`, 'Choose one.');
    return updateTasks(ids, patch);
  },
  answer: (outcome, say) => outcomeAnswer(outcome, say, 'Updated'),
});
