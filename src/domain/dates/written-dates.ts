import { type Day, existingDay, type LookDirection, nearestDay, period, type Reading, singleDay } from './calendar.js';
import { parseWithChrono } from './chrono.js';
import { numberOf, ORDINAL, WEEKDAY, WEEKDAYS } from './date-words.js';

const NAMED = new RegExp(`^(?:(?<name>${WEEKDAY}) (?:the )?)?(?<date>.+)$`);
const ONLY_DAY = new RegExp(`^${ORDINAL}$`);

interface Parts {
  year?: number | undefined;
  month?: number;
  day: number;
}

/**
 * Reads written dates, with or without their weekday: "24 Nov", "Tue Nov 24th 2026", "24.11.2026", "the 15th", and
 * months: "December 2026". Without a year, returns the nearest such day in the direction of `look`, today included.
 * 03/04 has two readings, unless a weekday rules one out.
 */
export function readWritten(text: string, today: Day, look: LookDirection): Reading | undefined {
  const { name, date = '' } = NAMED.exec(text)?.groups ?? {};
  const weekday = name ? numberOf(WEEKDAYS, name) : undefined;
  const ordinal = ONLY_DAY.exec(date)?.[1];
  const said = ordinal ? [{ day: Number(ordinal) }] : askBoth(date);
  if (said.length === 0 && !name) return readMonth(date, today, look);
  const days = said.flatMap((parts) => daysOf(parts, weekday, today, look));
  const fitting = days.filter(({ dayOfWeek }) => !weekday || dayOfWeek === weekday);
  const exact = said.some(({ year, month }) => year || (month && weekday));
  return fitting.length > 0 ? fitting.map((day) => singleDay(day, exact)) : days[0] && { not: days[0] };
}

/** Components that a date must not have. */
const MORE = ['weekday', 'hour', 'timezoneOffset'] as const;

/**
 * Returns day, month and year (if given) as chrono reads them with the day first and with the month first.
 *
 * Years of two digits are rejected: "24 Nov 26" may be a truncated time, and "Nov-26" a month.
 */
function askBoth(date: string): Parts[] {
  const said = date.replace(' the ', ' ').replace(/^(\d+)\.(\d+)\.$/, '$1/$2');
  const all = (['dayFirst', 'monthFirst'] as const).flatMap((order) => {
    const read = /^[a-z]+[-/]/.test(said) ? undefined : parseWithChrono(order, said);
    if (!read?.isCertain('day') || !read.isCertain('month') || MORE.some((part) => read.isCertain(part))) return [];
    const year = read.isCertain('year') ? (read.get('year') ?? undefined) : undefined;
    if (year !== undefined && !said.includes(String(year))) return [];
    return [{ year, month: read.get('month') ?? 0, day: read.get('day') ?? 0 }];
  });
  return all.filter(({ day }, index) => all.findIndex((other) => other.day === day) === index);
}

/** Reads "December" or "Dec 2026" as a whole month, by its 1st, since chrono does not read "Dec" alone. */
function readMonth(text: string, today: Day, look: LookDirection): Reading | undefined {
  const [said] = /^[a-z]+(?: \d{4})?$/.test(text) ? askBoth(`1 ${text}`) : [];
  const firsts = said && daysOf(said, undefined, today.with({ day: 1 }), look);
  return firsts?.map((first) => ({ ...period('month', first), exact: Boolean(said?.year) }));
}

/**
 * Returns the day with these parts. Without a year this is the nearest in the direction of `look`, unless the nearest
 * in the other direction is no farther away and is the only one on the weekday.
 */
function daysOf({ year, month, day }: Parts, weekday: number | undefined, today: Day, look: LookDirection): Day[] {
  if (year !== undefined) return existingDay(year, month ?? 0, day);
  const at = (offset: number) => {
    const near = today.with({ day: 1 }).add(month === undefined ? { months: offset } : { years: offset });
    return existingDay(near.year, month ?? near.month, day);
  };
  const [near] = nearestDay(at, today, look);
  const [other] = month !== undefined && weekday ? nearestDay(at, today, look === 'back' ? 'ahead' : 'back') : [];
  const away = (each: Day) => Math.abs(today.until(each).days);
  const isOther = near?.dayOfWeek !== weekday && other?.dayOfWeek === weekday;
  const meant = isOther && other && !(near && away(near) < away(other)) ? other : near;
  return meant ? [meant] : [];
}
