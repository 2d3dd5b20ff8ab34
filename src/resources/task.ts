import { fitText, MAX_BUDGET } from '../answers/budget.js';
import { detailAnswer } from '../answers/details.js';
import { taskIds } from '../completion.js';
import { getTasks } from '../domain/get.js';
import { allFailed } from '../domain/judge.js';
import { id } from '../fields.js';
import { defineResource } from '../resource.js';

export default defineResource({
  name: 'task',
  title: 'Task',
  description: 'Everything about one task, by its number.',
  uri: 'taskloom://task/{id}',
  fields: { id: id() },
  complete: { id: taskIds },
  shows: ({ id }) => ({ task: id }),
  run: async ({ id }, tx) => {
    const found = await getTasks(tx, [id], { detailed: true });
    if (found.tasks.length === 0) throw allFailed(found.failed);
    return found;
  },
  text: (found, context) => fitText(detailAnswer(found, context), MAX_BUDGET),
});
