import { detailAnswer } from '../answers/details.js';
import { listField } from '../compound-fields.js';
import { commentsOnly, getTasks } from '../domain/get.js';
import { allFailed } from '../domain/judge.js';
import { claimOf } from '../domain/lease.js';
import { MAX_ID } from '../domain/task.js';
import { invalid } from '../errors.js';
import { idOrTitle, wholeNumber } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'get_task',
  title: 'Get task',
  effect: 'read',
  description:
    'Everything about up to 20 tasks: description, sub-tasks, blockers, comments, history, version. Takes ids, or exact titles.',
  input: {
    ids: listField(idOrTitle(), 20),
    comments_before: wholeNumber(1, MAX_ID).describe('with one id: only its comments before this one').optional(),
  },
  aliases: { title: 'ids' },
  output: ['task', 'tasks', 'failed'],
  run: async ({ ids, comments_before: commentsBefore }, tx, { detailed, callerName }) => {
    if (commentsBefore !== undefined && ids.length > 1)
      throw invalid(
        'comments_before needs one id.',
        'The comments of each task have numbers of their own: ask task by task.',
      );
    const { tasks, failed } = await getTasks(tx, ids, { detailed, commentsBefore });
    if (tasks.length === 0) throw allFailed(failed);
    const shown = commentsBefore === undefined ? tasks : tasks.map(commentsOnly);
    return { tasks: shown.map((each) => ({ ...each, ownClaim: claimOf(each, callerName) })), failed };
  },
  answer: detailAnswer,
});
