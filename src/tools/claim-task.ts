import { claimAnswer } from '../answers/writes.js';
import { claimTask, MAX_CLAIM_MINUTES } from '../domain/claim.js';
import { claim, id, labels, nameOrNone, priority, shortText, wholeNumber } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'claim_task',
  title: 'Claim task',
  effect: 'update',
  idempotent: false,
  description:
    'Claim a task to work on, by id, or the next ready one that matches the filters and was not begun by hand. Other agents leave it alone until it is done, released or the minutes are over. Returns the task and a claim number: give it with your writes to the task.',
  input: {
    id: id().optional(),
    text: shortText().optional(),
    project: nameOrNone().optional(),
    labels: labels().optional(),
    priority: priority().optional(),
    claim: claim().describe('with id: extends your claim').optional(),
    minutes: wholeNumber(1, MAX_CLAIM_MINUTES).describe('30 by default').optional(),
    agent: shortText(100).describe('your name').optional(),
  },
  aliases: { query: 'text' },
  output: ['task', 'claim'],
  run: (args) => claimTask(args),
  answer: claimAnswer,
});
