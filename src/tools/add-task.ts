import { addedAnswer } from '../answers/added.js';
import { addTask } from '../domain/add.js';
import { ids, newLabels, taskFields } from '../fields.js';
import { defineTool } from '../tool.js';

const WITH_SUBTASKS =
  'add_tasks adds a task and its sub-tasks: each sub-task names the ref of the other as its parent.';

export default defineTool({
  name: 'add_task',
  title: 'Add task',
  effect: 'create',
  description: 'Add one task to the user’s list. The answer names open tasks that may be duplicates.',
  input: {
    ...taskFields.partial().shape,
    title: taskFields.shape.title,
    labels: newLabels().optional(),
    blocked_by: ids().optional(),
  },
  instead: {
    status: 'Add the task, then set its status with complete_task or update_task.',
    subtasks: WITH_SUBTASKS,
    children: WITH_SUBTASKS,
  },
  none: 'absent',
  output: ['task', 'similar', 'note'],
  run: (args) => addTask(args),
  answer: addedAnswer,
});
