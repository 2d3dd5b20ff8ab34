import { commentAnswer } from '../answers/writes.js';
import { addComment } from '../domain/comment.js';
import { MAX_TEXT } from '../domain/task.js';
import { claim, id, prose } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'add_comment',
  title: 'Add comment',
  effect: 'create',
  description: 'Note progress, a decision or a finding on a task, for whoever works on it next.',
  input: { id: id(), text: prose(MAX_TEXT), claim: claim().optional() },
  aliases: { comment: 'text', body: 'text', content: 'text' },
  output: ['task', 'note'],
  run: ({ id, text, claim }) => addComment(id, text, claim),
  answer: commentAnswer,
});
