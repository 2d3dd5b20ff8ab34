import { fitText, MAX_BUDGET } from '../answers/budget.js';
import { pageAnswer } from '../answers/task-list.js';
import { firstTasks } from '../domain/lists/list.js';
import { completeProjects } from '../domain/suggest.js';
import { name } from '../fields.js';
import { defineResource } from '../resource.js';

export default defineResource({
  name: 'project',
  title: 'Project',
  description: 'The open tasks of one project, by its name; earliest due first.',
  uri: 'taskloom://project/{name}',
  fields: { name: name() },
  complete: { name: completeProjects },
  shows: ({ name }) => ({ project: name }),
  run: ({ name }, tx, { now }) => firstTasks(tx, { project: name, sort: 'due' }, { now, most: 100 }),
  text: (page, context, { name }) =>
    [
      `+${name}: ${fitText(pageAnswer(page, context), MAX_BUDGET)}`,
      ...(page.total > page.tasks.length ? ['More: list_tasks with this project'] : []),
    ].join('\n'),
});
