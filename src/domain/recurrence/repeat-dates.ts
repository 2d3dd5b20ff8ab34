import { Temporal } from 'temporal-polyfill';
import { truncateForMessage } from '../../errors.js';
import { type Day, inRange, type Reading, withinRange } from '../dates/calendar.js';
import { numberOf, WEEKDAYS } from '../dates/date-words.js';
import { readDays } from '../dates/relative-days.js';
import { readWritten } from '../dates/written-dates.js';
import { type Cursor, repeatsRefusal } from './word-cursor.js';

export interface DateContext {
  today: string;
  /** A date without a year is the first such day on or after this one. */
  from: string;
  /** Which day to take if the words mean several, such as a month. */
  edge: 'first' | 'last';
  /** Whether a weekday may differ from its date, whose year is not yet known. */
  anyWeekday?: boolean;
}

/** Words that introduce an end. */
export const UNTIL = ['until', 'till', 'til', 'ending', 'ends'];

/** Words that begin another part of the phrase. */
const NEXT = [...UNTIL, 'starting', 'beginning', 'from', 'at', 'for', 'after'];

/** The most words, and commas, that one day is said in. */
const MAX_WORDS = 16;

/** A number before one of these is not a day of the month, as in `until june 10 times` or `from june 9 am`. */
const COUNTED = /^(?:times?|occurrences?|am|pm)$/;

/**
 * Reads the day on which a phrase starts or ends, in the words for a due day: as many as make one. Consumes nothing if
 * there is none.
 */
export function readDate(cursor: Cursor, context: DateContext): string | undefined {
  const start = cursor.at();
  const words: string[] = [];
  for (let word = cursor.peek(); word !== undefined && !NEXT.includes(word); word = cursor.peek()) {
    words.push(word);
    cursor.eat();
    if (words.length === MAX_WORDS) break;
  }
  for (let count = words.length; count > 0; count--) {
    if (COUNTED.test(words[count] ?? '')) continue;
    const day = dayIn(words.slice(0, count), context);
    cursor.back(start + count);
    if (day !== undefined) return day;
  }
  cursor.back(start);
  return undefined;
}

function dayIn(words: string[], { today, from, edge, anyWeekday }: DateContext): string | undefined {
  const said = words
    .filter((word) => word !== ',')
    .join(' ')
    .replace(/(\d) (?=(?:st|nd|rd|th)\b)/g, '$1');
  const found = withinRange(() => readFrom(said, Temporal.PlainDate.from(from), Temporal.PlainDate.from(today)));
  if (found && !Array.isArray(found)) {
    if (anyWeekday) return found.not.toString();
    throw repeatsRefusal(
      `${found.not} is a ${WEEKDAYS[found.not.dayOfWeek - 1]}.`,
      'Use the date of the intended day.',
    );
  }
  const possible = found?.filter((each) => edge === 'last' || inRange(each.first));
  const [day, other] =
    possible?.map(({ first, last, exact }) => {
      const isUnderWay = !exact && first.toString() < from && last.toString() >= from;
      return isUnderWay && edge === 'first' ? from : (edge === 'first' ? first : last).toString();
    }) ?? [];
  if (other)
    throw repeatsRefusal(`"${truncateForMessage(said)}" can mean ${day} or ${other}.`, 'Use one of these dates.');
  return day;
}

/** A weekday, date or month is the first from `from` on; all other words count from today. */
function readFrom(said: string, from: Day, today: Day): Reading | undefined {
  if (numberOf(WEEKDAYS, said) && !said.includes(' ')) return readDays(said, from.subtract({ days: 1 }), 'ahead');
  const date = said.replace(/^(?:the )?(?:(?:start|beginning|end|first day|last day) of )?(?:the )?/, '');
  return readDays(said, readWritten(date, from, 'ahead') ? from : today, 'ahead');
}
