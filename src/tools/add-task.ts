import { addTask } from '../domain/add.js';
import { MAX_LABELS, PRIORITIES } from '../domain/task.js';
import { id, line, many, name, oneOf, prose, whole, words } from '../fields.js';
import { taskAnswer } from '../shapes.js';
import { defineTool } from '../tool.js';

/** Other words for priorities that agents and people use. */
export const priority = () =>
  oneOf(PRIORITIES, {
    p1: 'urgent',
    p2: 'high',
    p3: 'medium',
    p4: 'low',
    '1': 'urgent',
    '2': 'high',
    '3': 'medium',
    '4': 'low',
  });

/** The fields that a task is made of, shared by the tools that write one. */
export const taskFields = {
  title: line(200),
  description: prose(10_000).describe('Markdown'),
  priority: priority(),
  due: words().describe('2026-11-24 or 2026-11-24T17:00, in the user’s timezone'),
  start: words().describe('not before; as due'),
  estimate_minutes: whole(1, 100_000),
  project: name().describe('by name; created if new'),
  parent: id().describe('id of the task this is part of'),
};

const { title, ...rest } = taskFields;

export default defineTool({
  name: 'add_task',
  title: 'Add task',
  effect: 'create',
  description: 'Add one task to the user’s list.',
  input: {
    title,
    description: rest.description.optional(),
    priority: rest.priority.optional(),
    due: rest.due.optional(),
    start: rest.start.optional(),
    estimate_minutes: rest.estimate_minutes.optional(),
    project: rest.project.optional(),
    labels: many(name(), MAX_LABELS).optional(),
    parent: rest.parent.optional(),
  },
  output: ['task'],
  run: (args) => addTask(args),
  answer: (task, say) => taskAnswer(task, say, 'Added'),
});
