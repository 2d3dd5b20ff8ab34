import type { Temporal } from 'temporal-polyfill';
import { invalid, truncateForMessage } from '../../errors.js';
import { FIRST_YEAR, inRange, LAST_YEAR, withinRange } from './calendar.js';
import { addTo, isDay, type When, wallTimeAt } from './clock.js';
import { readDuration } from './durations.js';
import { normalizeText } from './read-date.js';

const AMOUNT = /^(?:by )?(?:(?<sign>[+-]) ?(?<signed>.+)|(?<amount>.+?)(?: (?<way>later|earlier|sooner))?)$/;

/**
 * Reads the amount of time to move dates by: "1 week", "-2 days", "3 hours earlier".
 *
 * @throws Refusal `invalid` if the text is not an amount of time, or is zero
 */
export function readShift(text: string): Temporal.Duration {
  const { sign, signed, amount, way } = AMOUNT.exec(normalizeText(text))?.groups ?? {};
  const read = readDuration(signed ?? amount ?? '');
  if (!read || read.blank)
    throw invalid(`shift: "${truncateForMessage(text)}" is not an amount of time.`, 'Use 1 week, -2 days or 3 hours.');
  return sign === '-' || way === 'earlier' || way === 'sooner' ? read.negated() : read;
}

/**
 * Moves a date by an amount of time. A moment moved by days or months keeps its wall-clock time: 9:00 stays 9:00.
 *
 * @throws Refusal `invalid` for a day moved by hours, a time that the clocks skip, and a date out of range
 */
export function shiftDate(when: When, amount: Temporal.Duration, timezone: string, field: string): When {
  if (isDay(when) && amount.seconds !== 0)
    throw invalid(
      `${field} is a day without a time and cannot be moved by hours.`,
      'Shift by days, or give it a time.',
    );
  const moved = withinRange(() => addTo(when, amount, timezone));
  if (!moved || !inRange({ year: Number(moved.slice(0, 4)) }))
    throw invalid(`shift moves ${field} outside the years ${FIRST_YEAR} to ${LAST_YEAR}.`, 'Shift it by less.');
  if (!isDay(when) && amount.seconds === 0 && wallTimeAt(when, timezone) !== wallTimeAt(moved, timezone))
    throw invalid(
      `shift moves ${field} to ${wallTimeAt(when, timezone)}, which the clocks skip that day.`,
      'Shift it by another amount, or set it in a separate call.',
    );
  return moved;
}
