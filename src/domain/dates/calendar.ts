import { Temporal } from 'temporal-polyfill';

export type Day = Temporal.PlainDate;

/** One reading of words for days: a single day, or all days from `first` to `last`. */
export interface DayRange {
  first: Day;
  last: Day;
  /** The day to take if a single one is needed; absent for "this month". */
  day?: Day;
  /** Given in full, for example with a year, so that it may be in the past. */
  exact?: boolean;
}

/** All possible readings, or (`not`) a date that was given with the wrong weekday. */
export type Reading = DayRange[] | { not: Day };

/** How to resolve an incomplete date: to the next "24 Nov" or the last one. */
export type LookDirection = 'ahead' | 'back';

export const singleDay = (day: Day, exact = false): DayRange => ({ first: day, last: day, day, exact });

/**
 * Returns the first day at offsets 0 to 12 that is not past or, looking back, at offsets 0 to -12 that is not in the
 * future; an empty array if there is none. Leap days are at most 8 years apart.
 */
export function nearestDay(at: (offset: number) => Day[], today: Day, look: LookDirection): Day[] {
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

/** Returns the day with these numbers, or an empty array if it does not exist. */
export function existingDay(year: number, month: number, day: number): Day[] {
  const existing = withinRange(() => Temporal.PlainDate.from({ year, month, day }, { overflow: 'reject' }));
  return existing ? [existing] : [];
}

/** Returns what `compute` returns, or undefined for values out of Temporal's range. */
export function withinRange<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Returns the week, month, quarter or year that contains a day, or the one `later` periods after it. */
export function period(unit: string, today: Day, later = 0): DayRange {
  const months = unit === 'year' ? 12 : unit === 'quarter' ? 3 : 1;
  const begin = (by: number) =>
    unit === 'week'
      ? today.add({ days: 7 * by - (today.dayOfWeek - 1) })
      : today.with({ day: 1 }).add({ months: months * by - ((today.month - 1) % months) });
  return { first: begin(later), last: begin(later + 1).subtract({ days: 1 }) };
}
