import { outcomeAnswer } from '../answers/writes.js';
import { releaseTask } from '../domain/claim.js';
import { MAX_NOTE } from '../domain/task.js';
import { claim, id, oneOf, prose } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'release_task',
  title: 'Release task',
  effect: 'update',
  description: 'Release a task you claimed, with a note for whoever takes it next, or close it.',
  input: {
    id: id(),
    claim: claim().describe('as returned by claim_task').optional(),
    note: prose(MAX_NOTE).optional(),
    status: oneOf(['pending', 'completed', 'cancelled'], {
      aliases: { done: 'completed', open: 'pending', todo: 'pending', canceled: 'cancelled' },
    }).optional(),
  },
  output: ['task', 'ready', 'next'],
  run: ({ id, ...release }) => releaseTask(id, release),
  answer: (outcome, context) => outcomeAnswer(outcome, context, 'Released'),
});
