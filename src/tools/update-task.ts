import { takeGuard } from '../domain/guard.js';
import { STATUSES } from '../domain/task.js';
import { CLEARABLE, updateTasks } from '../domain/update.js';
import { invalid } from '../errors.js';
import { guard, id, ids, labels, many, newLabels, oneOf, taskFields, words } from '../fields.js';
import { defineTool } from '../tool.js';
import { outcomeAnswer } from '../writes.js';

export default defineTool({
  name: 'update_task',
  title: 'Update task',
  effect: 'update',
  idempotent: false,
  description:
    'Change fields of one or many tasks. What is left out stays; clear empties fields. status pending reopens, restores from the trash, and ends a claim.',
  input: {
    ids: ids(),
    ...taskFields.partial().shape,
    shift: words().describe('move due and start, each from where it is: 1 week, -2 days').optional(),
    status: oneOf(
      STATUSES,
      {
        done: 'completed',
        complete: 'completed',
        open: 'pending',
        todo: 'pending',
        not_started: 'pending',
        doing: 'in_progress',
        started: 'in_progress',
        canceled: 'cancelled',
      },
      '; what waits for others is add_blocked_by, what is thrown away delete_task',
    ).optional(),
    add_labels: newLabels().optional(),
    remove_labels: labels().optional(),
    add_blocked_by: ids().optional(),
    remove_blocked_by: ids().optional(),
    before: id().describe('place by hand right before this task').optional(),
    after: id().optional(),
    clear: many(oneOf(CLEARABLE), CLEARABLE.length, ',').optional(),
    ...guard,
  },
  aliases: { id: 'ids' },
  none: 'clear',
  output: ['task', 'tasks', 'ready', 'next', 'failed'],
  run: (args) => {
    const { guard, rest } = takeGuard(args);
    const { ids, ...patch } = rest;
    if (Object.keys(patch).length === 0)
      throw invalid('Nothing to change.', 'Give at least one field beside ids. To empty one, name it in clear.');
    const both = patch.clear?.find((field) => patch[field as keyof typeof patch] !== undefined);
    if (both) throw invalid(`${both} is both given and cleared.`, 'Choose one.');
    const date = (['due', 'start', 'repeats'] as const).find(
      (field) => patch[field] !== undefined || patch.clear?.includes(field),
    );
    if (patch.shift !== undefined && date) throw invalid(`shift and ${date} are both given.`, 'Choose one.');
    if (patch.before !== undefined && patch.after !== undefined)
      throw invalid('before and after are both given.', 'Choose one.');
    return updateTasks(ids, patch, guard);
  },
  answer: (outcome, say, { status }) => outcomeAnswer(outcome, say, 'Updated', status),
});
