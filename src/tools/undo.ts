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
    'Take back a write, deletes and bulk changes included, by the undo handle of its answer, or the last ones made under your client’s name. What others changed since stays, and is named. Undoing an undo does it again.',
  input: {
    undo: shortText().describe('such as u57').optional(),
    last: wholeNumber(1, MAX_UNDO).describe('how many of your last writes, undos aside').optional(),
  },
  aliases: { handle: 'undo' },
  output: ['tasks', 'projects', 'failed'],
  run: (args) => undoWrites(args),
  answer: undoneAnswer,
});
