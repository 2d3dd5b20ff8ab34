import { outcomeAnswer } from '../answers/writes.js';
import { listField } from '../compound-fields.js';
import { CLEARABLE } from '../domain/patch.js';
import { STATUSES } from '../domain/task.js';
import { patchTasks } from '../domain/update.js';
import { clearable, guard, id, ids, labels, newLabels, oneOf, shortText, taskFields } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'update_task',
  title: 'Update task',
  effect: 'update',
  idempotent: false,
  description:
    'Change fields of one or many tasks. Omitted fields stay; clear empties fields. status pending reopens, restores from the trash, and ends a claim.',
  input: {
    ids: ids(),
    ...taskFields.partial().shape,
    shift: shortText().describe('how far to move due and start: 1 week, -2 days').optional(),
    status: oneOf(STATUSES, {
      aliases: {
        done: 'completed',
        complete: 'completed',
        open: 'pending',
        todo: 'pending',
        not_started: 'pending',
        doing: 'in_progress',
        started: 'in_progress',
        canceled: 'cancelled',
      },
      otherwise: '; for waiting tasks use add_blocked_by, to discard use delete_task',
    }).optional(),
    add_labels: newLabels().optional(),
    remove_labels: labels().optional(),
    add_blocked_by: ids().optional(),
    remove_blocked_by: ids().optional(),
    before: id().describe('place right before this task').optional(),
    after: id().optional(),
    clear: listField(clearable(), CLEARABLE.length, ',').optional(),
    ...guard,
  },
  instead: Object.fromEntries(
    ['append', 'appenddescription', 'comment', 'note', 'notes'].map((field) => [
      field,
      'add_comment adds to a task; description replaces the whole text.',
    ]),
  ),
  none: 'clear',
  output: ['task', 'tasks', 'ready', 'next', 'failed'],
  run: ({ ids, expected_version, expect_title, claim, ...patch }) =>
    patchTasks(ids, patch, { expected_version, expect_title, claim }),
  answer: (outcome, context, { status }) => outcomeAnswer(outcome, context, 'Updated', status),
});
