import { addTask } from '../domain/add.js';
import { labels, taskFields } from '../fields.js';
import { taskAnswer } from '../shapes.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'add_task',
  title: 'Add task',
  effect: 'create',
  description: 'Add one task to the user’s list.',
  input: {
    ...taskFields.partial().shape,
    title: taskFields.shape.title,
    labels: labels().optional(),
  },
  output: ['task'],
  run: (args) => addTask(args),
  answer: (task, say) => taskAnswer(task, say, 'Added'),
});
