/**
 * Bounds of the JSON that clients send. A plan of a hundred tasks, with all labels and blockers that each may have, has
 * some 9,000 values.
 */
const [MAX_VALUES, MAX_DEPTH] = [20_000, 64];

/** Maximum number of fields of one object: more than any of ours has. */
export const MAX_FIELDS = 100;

/** Maximum number of messages of one batch. Over HTTP, the SDK would refuse more too, but after they were counted. */
export const MAX_BATCH = 100;

/** In shorter texts, in characters, there is no room for what takes long to parse. */
const SHORT = 8 * 1024;

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c];
const [ARRAY, END_OF_ARRAY, OBJECT, END_OF_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** How a refusal says what these bounds are. */
export const TOO_COMPLEX = `at most ${MAX_VALUES} values, ${MAX_FIELDS} fields in one object and ${MAX_DEPTH} levels`;

/**
 * Whether a JSON text exceeds the bounds. Found by counting brackets, commas and colons: parsing a text made for it, and
 * validating the result, takes a hundred times as long and as much memory.
 */
export function isTooComplex(text: string): boolean {
  if (text.length <= SHORT) return false;
  /** How many fields the object open at each depth has so far. */
  const fields = new Uint8Array(MAX_DEPTH + 1);
  let depth = 0;
  let values = 0;
  for (let i = 0; i < text.length && values <= MAX_VALUES; i++)
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = endOfString(text, i);
        break;
      case ARRAY:
      case OBJECT:
        if (++depth > MAX_DEPTH) return true;
        fields[depth] = 0;
        values++;
        break;
      case END_OF_ARRAY:
      case END_OF_OBJECT:
        depth = Math.max(depth - 1, 0);
        break;
      case COLON: {
        const field = (fields[depth] ?? 0) + 1;
        if (field > MAX_FIELDS) return true;
        fields[depth] = field;
        break;
      }
      case COMMA:
        values++;
    }
  return values > MAX_VALUES;
}

/** Returns the index of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  for (let code = text.charCodeAt(i); i < text.length && code !== QUOTE; code = text.charCodeAt(i))
    i += code === BACKSLASH ? 2 : 1;
  return i;
}
