import { projectNames } from '../completion.js';
import { listTasks } from '../domain/list.js';
import { name } from '../fields.js';
import { defineResource } from '../resource.js';
import { pageAnswer } from '../shapes.js';

export default defineResource({
  name: 'project',
  title: 'Project',
  description: 'The open tasks of one project, by its name; what is due first comes first.',
  uri: 'taskloom://project/{name}',
  fields: { name: name() },
  complete: { name: projectNames },
  run: async ({ name }, tx, { now, secret }) => {
    const { nextCursor, ...page } = await listTasks(
      tx,
      { project: name, sort: 'due', limit: 100 },
      { now, secret, descriptions: false },
    );
    return page;
  },
  text: (page, say, { name }) =>
    [
      `+${name}: ${pageAnswer(page, say, 'compact').text}`,
      ...(page.total > page.tasks.length ? ['More: list_tasks with this project'] : []),
    ].join('\n'),
});
