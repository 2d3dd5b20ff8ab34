import { detailAnswer } from '../answers/reads.js';
import { getTasks } from '../domain/get.js';
import { allFailed } from '../domain/judge.js';
import { claimOf } from '../domain/lease.js';
import { MAX_ID } from '../domain/task.js';
import { idOrTitle, listField, wholeNumber } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'get_task',
  title: 'Get task',
  effect: 'read',
  description:
    'Everything about up to 20 tasks: description, sub-tasks, blockers, comments, history, version. Takes ids, or exact titles.',
  input: {
    ids: listField(idOrTitle(), 20),
    comments_before: wholeNumber(1, MAX_ID).describe('for earlier comments, as the answer says').optional(),
  },
  aliases: { title: 'ids' },
  output: ['task', 'tasks', 'failed'],
  run: async ({ ids, comments_before: commentsBefore }, tx, { detailed, callerName }) => {
    const { tasks, failed } = await getTasks(tx, ids, { detailed, commentsBefore });
    if (tasks.length === 0) throw allFailed(failed);
    return { tasks: tasks.map((each) => ({ ...each, ownClaim: claimOf(each, callerName) })), failed };
  },
  answer: detailAnswer,
});
