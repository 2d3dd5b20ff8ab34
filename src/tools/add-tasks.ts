import { plannedAnswer } from '../answers/added.js';
import { listField, object, objectsSent } from '../compound-fields.js';
import { addTasks } from '../domain/add.js';
import { MAX_AT_ONCE, MAX_BLOCKERS } from '../domain/task.js';
import { idOrRef, newLabels, ref, taskFields } from '../fields.js';
import { defineTool } from '../tool.js';

const SUBTASKS = 'give each sub-task as one of tasks, with this one’s ref as its parent';

export default defineTool({
  name: 'add_tasks',
  title: 'Add tasks',
  effect: 'create',
  description: `Add a plan of up to ${MAX_AT_ONCE} tasks at once, all or none. Give tasks a ref of your choice to name them as parent or blocked_by of others.`,
  input: {
    tasks: listField(
      object(
        {
          ref: ref().describe('a word').optional(),
          ...taskFields.partial().shape,
          title: taskFields.shape.title,
          labels: newLabels().optional(),
          parent: idOrRef().optional(),
          blocked_by: listField(idOrRef(), MAX_BLOCKERS, ',').optional(),
        },
        {
          status: 'add the plan, then set it with update_task',
          subtasks: SUBTASKS,
          children: SUBTASKS,
        },
      ),
      MAX_AT_ONCE,
    ),
  },
  instead: { project: 'Give project in each of tasks; a sub-task is in its parent’s project anyway.' },
  output: ['tasks', 'similar', 'note'],
  run: ({ tasks }) => addTasks(tasks),
  answer: (added, context, { tasks }, sent) => plannedAnswer(added, context, tasks, objectsSent(sent.tasks)),
});
