import { undoneAnswer } from '../answers/writes.js';
import { MAX_UNDO, undoWrites } from '../domain/undo/undo.js';
import { shortText, wholeNumber } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'undo',
  title: 'Undo',
  effect: 'update',
  idempotent: false,
  description:
    'Revert a write, deletes and bulk changes included, by the undo handle in its answer or a task’s history, or the last ones made under your client’s name. Later changes by others stay and are reported. Undoing an undo redoes it.',
  input: {
    undo: shortText().describe('such as u57').optional(),
    last: wholeNumber(1, MAX_UNDO).describe('how many of your last writes, not counting undos').optional(),
  },
  aliases: { handle: 'undo' },
  instead: Object.fromEntries(
    ['id', 'ids', 'taskid', 'taskids', 'task'].map((field) => [
      field,
      'undo takes a handle, such as u57; get_task shows those of a task.',
    ]),
  ),
  output: ['tasks', 'projects', 'failed'],
  run: (args) => undoWrites(args),
  answer: undoneAnswer,
});
