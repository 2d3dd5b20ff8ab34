import { detailAnswer } from '../answers/reads.js';
import { getTasks } from '../domain/get.js';
import { allFailed } from '../domain/judge.js';
import { idOrTitle, listField } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'get_task',
  title: 'Get task',
  effect: 'read',
  description:
    'Everything about up to 20 tasks: description, sub-tasks, blockers, comments, history, version. Takes ids, or exact titles.',
  input: { ids: listField(idOrTitle(), 20) },
  aliases: { title: 'ids' },
  output: ['task', 'tasks', 'failed'],
  run: async ({ ids }, tx, { detailed }) => {
    const found = await getTasks(tx, ids, detailed);
    if (found.tasks.length === 0) throw allFailed(found.failed);
    return found;
  },
  answer: detailAnswer,
});
