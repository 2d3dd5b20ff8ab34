import { Temporal } from 'temporal-polyfill';
import { localTime, type When } from '../dates/clock.js';

/** A day in the user's zone, with or without a time of day. */
export interface Local {
  day: string;
  time?: string | undefined;
}

/** Reads the form in which a recurrence is stored: `2026-11-24` or `2026-11-24T17:00`. */
export const readLocal = (local: string): Local => ({ day: local.slice(0, 10), time: local.slice(11) || undefined });
export const writeLocal = ({ day, time }: Local): string => (time ? `${day}T${time}` : day);

export const localOf = (when: When, timezone: string): Local => readLocal(localTime(when, timezone));

/** A time that the clocks skip moves later by the gap; of a repeated time it is the first (RFC 5545, 3.3.5). */
export function whenOf({ day, time }: Local, timezone: string): When {
  if (!time) return day;
  const instant = Temporal.PlainDateTime.from(`${day}T${time}`).toZonedDateTime(timezone).toInstant();
  return instant.toString({ fractionalSecondDigits: 3 });
}
