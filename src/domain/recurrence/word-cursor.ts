import { invalid, type Refusal, truncateForMessage } from '../../errors.js';
import { CARDINALS, ORDINALS } from '../dates/date-words.js';
import { clockTime, type Time, timesOf } from '../dates/time-of-day.js';

const SUFFIX = /^(?:st|nd|rd|th)$/;
const TOKEN = /\d{4}-\d{2}-\d{2}|\d{1,2}([/.])\d{1,2}\1\d{4}|q[1-4]\b|\d{1,2}:\d{2}(?::\d{2})?|\d+|\p{L}+|[^\s]/gu;

/** Reads a phrase word by word, with backtracking. */
export interface Cursor {
  peek(ahead?: number): string | undefined;
  /** Consumes and returns the next word if it is one of these; any word if none are given. */
  eat(...words: string[]): string | undefined;
  at(): number;
  back(to: number): void;
  number(): number | undefined;
  /** Consumes `2nd`, `second`, or `last`, which is -1. */
  ordinal(): number | undefined;
  /** Consumes `17:00`, `5pm`, `9.30am`, `noon` or, if `bare`, `9`. */
  time(bare: boolean): Time | undefined;
}

export function cursorOver(text: string): Cursor {
  const tokens = text.match(TOKEN) ?? [];
  let at = 0;
  const peek = (ahead = 0) => tokens[at + ahead];
  const eat = (...words: string[]) => {
    const word = tokens[at];
    if (word === undefined || (words.length > 0 && !words.includes(word))) return undefined;
    at++;
    return word;
  };
  const whole = (word = '') => (/^\d{1,6}$/.test(word) ? Number(word) : undefined);
  const number = () => {
    if (SUFFIX.test(peek(1) ?? '')) return undefined;
    const spelled = CARDINALS.indexOf(peek() ?? '') + 1;
    const value = spelled || whole(peek());
    if (value !== undefined) at++;
    return value;
  };
  const ordinal = () => {
    const word = peek() ?? '';
    const digits = SUFFIX.test(peek(1) ?? '') ? whole(word) : undefined;
    const value = digits ?? (word === 'last' ? -1 : ORDINALS.indexOf(word) + 1 || undefined);
    if (value !== undefined) at += digits === undefined ? 1 : 2;
    return value;
  };
  return { peek, eat, at: () => at, back: (to) => (at = to), number, ordinal, time };

  function time(bare: boolean): Time | undefined {
    if (eat('noon', 'midday')) return clockTime(12);
    if (eat('midnight')) return clockTime(0);
    const [, hour, minute, second] = /^(\d{1,2})(?::(\d{2})(?::(\d{2}))?)?$/.exec(peek() ?? '') ?? [];
    const pointed = peek(1) === '.' && /^\d{2}$/.test(peek(2) ?? '') && /^[ap]m$/.test(peek(3) ?? '');
    const half = /^[ap]m$/.exec(peek(pointed ? 3 : 1) ?? '')?.[0];
    if (!hour || (!half && !bare && !minute)) return undefined;
    const [read] = timesOf({ hour, minute: pointed ? peek(2) : minute, second, half });
    if (!read || read.days > 0) return undefined;
    at += pointed ? 4 : half ? 2 : 1;
    return read;
  }
}

const EXAMPLES =
  'Use for example "every weekday at 09:00", "every 2 weeks on tue until june", "monthly on the last fri", ' +
  '"every 3 days after completion", or a rule such as FREQ=WEEKLY;BYDAY=MO.';

export const repeatsRefusal = (message: string, hint = EXAMPLES): Refusal => invalid(`repeats: ${message}`, hint);

/** Builds the refusal of the next word, or of a missing one. */
export function unexpectedWord(cursor: Cursor): Refusal {
  const word = cursor.peek();
  return repeatsRefusal(
    word === undefined ? 'something is missing at the end.' : `"${truncateForMessage(word)}" is not understood here.`,
  );
}
