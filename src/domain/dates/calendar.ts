import { Temporal } from 'temporal-polyfill';

export type Day = Temporal.PlainDate;

/** What words about days can mean: one day, or all from the first to the last. */
export interface Days {
  first: Day;
  last: Day;
  /** The one that is meant where one is needed; none for "this month". */
  day?: Day;
  /** Said in full, as with a year: then the past is meant if it is past. */
  exact?: boolean;
}

/** Readings that words allow, or the day that they describe with another day's weekday. */
export type Reading = Days[] | { not: Day };

/** Where to look for a day that is not said in full: "24 Nov" to come, or the one that was. */
export type Look = 'ahead' | 'back';

export const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
export const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];

/** Patterns in lower case. */
export const WEEKDAY =
  'mon(?:day)?|tue(?:s|sday)?|wed(?:s|nesday)?|thu(?:rs?|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?';
export const ORDINAL = '(\\d{1,2})(?:st|nd|rd|th)';

/** The number, from 1, of a weekday or a month by its first letters. */
export const numberOf = (names: readonly string[], word: string) =>
  names.findIndex((name) => name.slice(0, 3).toLowerCase() === word.slice(0, 3)) + 1;

/** `Mon`, `Nov`: the name of a weekday or a month, from 1, as short as it is said. */
export const shortName = (names: readonly string[], number: number) => names[number - 1]?.slice(0, 3) ?? '';

export const one = (day: Day, exact = false): Days => ({ first: day, last: day, day, exact });

/** `Sun 22 Nov 2026`. */
export const sayDay = (day: Day) =>
  [shortName(WEEKDAYS, day.dayOfWeek), day.day, shortName(MONTHS, day.month), day.year].join(' ');

/** The first that is not past, or looking back, the latest that is not to come. Leap days are 8 years apart at most. */
export function nearest(at: (offset: number) => Day[], today: Day, look: Look): Day[] {
  const way = look === 'back' ? -1 : 1;
  for (let offset = 0; offset <= 12; offset++) {
    const [day] = at(way * offset);
    if (day && Temporal.PlainDate.compare(day, today) * way >= 0) return [day];
  }
  return [];
}

export const FIRST_YEAR = 1900;
export const LAST_YEAR = 2999;

export const inRange = ({ year }: { year: number }) => year >= FIRST_YEAR && year <= LAST_YEAR;

/** The day that has these numbers, if there is one. */
export function known(year: number, month: number, day: number): Day[] {
  try {
    return [Temporal.PlainDate.from({ year, month, day }, { overflow: 'reject' })];
  } catch {
    return [];
  }
}

/** The week, month, quarter or year around a day, or the one so many later. */
export function period(unit: string, today: Day, later = 0): Days {
  const months = unit === 'year' ? 12 : unit === 'quarter' ? 3 : 1;
  const begin = (by: number) =>
    unit === 'week'
      ? today.add({ days: 7 * by - (today.dayOfWeek - 1) })
      : today.with({ day: 1 }).add({ months: months * by - ((today.month - 1) % months) });
  return { first: begin(later), last: begin(later + 1).subtract({ days: 1 }) };
}
