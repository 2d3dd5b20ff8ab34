import {
  type Day,
  known,
  type Look,
  nearest,
  numberOf,
  ORDINAL,
  one,
  period,
  type Reading,
  WEEKDAY,
  WEEKDAYS,
} from './calendar.js';
import { ask } from './chrono.js';

const NAMED = new RegExp(`^(?:(?<name>${WEEKDAY}) (?:the )?)?(?<date>.+)$`);
const ONLY_DAY = new RegExp(`^${ORDINAL}$`);

interface Parts {
  year?: number | undefined;
  month?: number;
  day: number;
}

/**
 * Reads dates as people write them, with or without their weekday: "24 Nov", "Tue Nov 24th 2026", "24.11.2026",
 * "the 15th", and months: "December 2026". Without a year, the next such day, today included. 03/04 is two days; a
 * weekday may tell which.
 */
export function readWritten(text: string, today: Day, look: Look): Reading | undefined {
  const { name, date = '' } = NAMED.exec(text)?.groups ?? {};
  const weekday = name ? numberOf(WEEKDAYS, name) : undefined;
  const ordinal = ONLY_DAY.exec(date)?.[1];
  const said = ordinal ? [{ day: Number(ordinal) }] : askBoth(date);
  if (said.length === 0 && !name) return readMonth(date, today, look);
  const days = said.flatMap((parts) => daysOf(parts, weekday, today, look));
  const fitting = days.filter(({ dayOfWeek }) => !weekday || dayOfWeek === weekday);
  const exact = said.some(({ year, month }) => year || (month && weekday));
  return fitting.length > 0 ? fitting.map((day) => one(day, exact)) : days[0] && { not: days[0] };
}

/** What chrono would read along with a date. */
const MORE = ['weekday', 'hour', 'timezoneOffset'] as const;

/**
 * Day, month and perhaps year, as chrono reads them with the day first and with the month first.
 *
 * It is careless about years: "24 Nov 26" may be a time cut short, and "Nov-26" a month.
 */
function askBoth(date: string): Parts[] {
  const said = date.replace(' the ', ' ').replace(/^(\d+)\.(\d+)\.$/, '$1/$2');
  const all = (['dayFirst', 'monthFirst'] as const).flatMap((order) => {
    const read = /^[a-z]+[-/]/.test(said) ? undefined : ask(order, said);
    if (!read?.isCertain('day') || !read.isCertain('month') || MORE.some((part) => read.isCertain(part))) return [];
    const year = read.isCertain('year') ? (read.get('year') ?? undefined) : undefined;
    if (year !== undefined && !said.includes(String(year))) return [];
    return [{ year, month: read.get('month') ?? 0, day: read.get('day') ?? 0 }];
  });
  return all.filter(({ day }, index) => all.findIndex((other) => other.day === day) === index);
}

/** The days of a month: "December" and "Dec 2026" become dates with a 1 before them, and "Dec" alone is none to chrono. */
function readMonth(text: string, today: Day, look: Look): Reading | undefined {
  const [said] = /^[a-z]+(?: \d{4})?$/.test(text) ? askBoth(`1 ${text}`) : [];
  const firsts = said && daysOf(said, undefined, today.with({ day: 1 }), look);
  return firsts?.map((first) => ({ ...period('month', first), exact: Boolean(said?.year) }));
}

/** The day that has these parts: without a year, the nearest that is not past, unless one past is nearer and alone has the weekday. */
function daysOf({ year, month, day }: Parts, weekday: number | undefined, today: Day, look: Look): Day[] {
  if (year !== undefined) return known(year, month ?? 0, day);
  const at = (offset: number) => {
    const near = today.with({ day: 1 }).add(month === undefined ? { months: offset } : { years: offset });
    return known(near.year, month ?? near.month, day);
  };
  const [near] = nearest(at, today, look);
  const [other] = month !== undefined && weekday ? nearest(at, today, look === 'back' ? 'ahead' : 'back') : [];
  const away = (each: Day) => Math.abs(today.until(each).days);
  const isOther = near?.dayOfWeek !== weekday && other?.dayOfWeek === weekday;
  const meant = isOther && other && !(near && away(near) < away(other)) ? other : near;
  return meant ? [meant] : [];
}
