import { detailAnswer } from '../answers/details.js';
import { numberedTitles } from '../completion.js';
import { depthRefusal } from '../domain/family.js';
import { gather } from '../domain/gather.js';
import { getTasks } from '../domain/get.js';
import { allFailed } from '../domain/judge.js';
import { isOpenTask } from '../domain/task.js';
import { conflict } from '../errors.js';
import { pickedTask } from '../fields.js';
import { definePrompt } from '../prompt.js';

export default definePrompt({
  name: 'break_down',
  title: 'Break down a task',
  description: 'Split one task into steps that can each be done in one go.',
  args: { task: pickedTask().describe('number or title of the task') },
  complete: { task: numberedTitles },
  run: async ({ task }, tx) => {
    const found = await getTasks(tx, [task], { detailed: true });
    const [first] = found.tasks;
    if (!first) throw allFailed(found.failed);
    if (!isOpenTask(first)) throw conflict(`#${first.id} is not open.`, 'Choose an open task.');
    const family = await gather(tx, { ids: [first.id], parents: true });
    const refusal = depthRefusal(family.tasks, { parentId: first.id });
    if (refusal) throw refusal;
    return { ...found, id: first.id };
  },
  message: (found, context) => ({
    ask: `Help me break down task #${found.id}, shown below, into steps. Each step should be one concrete action of an hour at most that begins with a verb, with an estimate in minutes; name first what can be started right away. Do not repeat its existing sub-tasks. If you cannot tell what would count as done, ask me one question first. Show me the steps before you write anything. When I agree, add them in one call: add_tasks, each with parent ${found.id}, and blocked_by where one must wait for another.`,
    data: [{ what: detailAnswer(found, context) }],
  }),
});
