import {
  type Day,
  known,
  type Look,
  MONTH,
  MONTHS,
  nearest,
  numberOf,
  ORDINAL,
  one,
  type Reading,
  WEEKDAY,
  WEEKDAYS,
} from './calendar.js';

/** Forms of dates, and which parts they have in which order: year, month, its name, day; `-` is a separator. */
const FORMS: [RegExp, string][] = [
  [/^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})$/, 'y-md'],
  [/^(\d{4})(\d{2})(\d{2})$/, 'ymd'],
  [/^(\d{1,2})([-/.])(\d{1,2})\2(\d{4})$/, 'd-my'],
  [/^(\d{1,2})\/(\d{1,2})$/, 'dm'],
  [/^(\d{1,2})\.(\d{1,2})\.$/, 'dm'],
  [new RegExp(`^(\\d{1,2})(?:st|nd|rd|th)? (?:of )?(${MONTH})(?: (\\d{4}))?$`), 'dny'],
  [new RegExp(`^(${MONTH}) (?:the )?(\\d{1,2})(?:st|nd|rd|th)?(?: (\\d{4}))?$`), 'ndy'],
  [new RegExp(`^(\\d{4}) (${MONTH}) (\\d{1,2})$`), 'ynd'],
  [new RegExp(`^${ORDINAL}$`), 'd'],
];

const NAMED = new RegExp(`^(?:(?<name>${WEEKDAY}) (?:the )?)?(?<date>.+)$`);

/**
 * Reads dates as people write them, with or without their weekday: "24 Nov", "Tue Nov 24th 2026", "24.11.2026",
 * "the 15th". Without a year, the next such day, today included. 03/04 is two days; a weekday may tell which.
 */
export function readWritten(text: string, today: Day, look: Look): Reading | undefined {
  const { name, date = '' } = NAMED.exec(text)?.groups ?? {};
  const weekday = name ? numberOf(WEEKDAYS, name) : undefined;
  for (const [form, order] of FORMS) {
    const match = form.exec(date);
    if (!match) continue;
    const part = (letter: string) => (order.includes(letter) ? match[order.indexOf(letter) + 1] : undefined);
    const [year, day] = [numbered(part('y')), Number(part('d'))];
    const month = part('n') ? numberOf(MONTHS, part('n') ?? '') : numbered(part('m'));
    const said: Parts[] = [{ year, month, day, weekday }];
    if (order.startsWith('d') && order.includes('m') && day !== month)
      said.push({ year, month: day, day: month ?? 0, weekday });
    const days = said.flatMap((parts) => daysOf(parts, today, look));
    const fitting = days.filter((each) => weekday === undefined || each.dayOfWeek === weekday);
    const exact = Boolean(year || (month && weekday));
    return fitting.length > 0 ? fitting.map((each) => one(each, exact)) : days[0] && { not: days[0] };
  }
  return undefined;
}

const numbered = (digits: string | undefined) => (digits === undefined ? undefined : Number(digits));

interface Parts {
  year: number | undefined;
  month: number | undefined;
  day: number;
  weekday: number | undefined;
}

/** The day that has these parts: without a year, the nearest that is not past, unless only one past has the weekday. */
function daysOf({ year, month, day, weekday }: Parts, today: Day, look: Look): Day[] {
  if (year !== undefined) return known(year, month ?? 0, day);
  const months = today.year * 12 + today.month - 1;
  const at = (offset: number) =>
    month === undefined
      ? known(Math.floor((months + offset) / 12), ((months + offset) % 12) + 1, day)
      : known(today.year + offset, month, day);
  const [near] = nearest(at, today, look);
  const [other] = month !== undefined && weekday ? nearest(at, today, look === 'back' ? 'ahead' : 'back') : [];
  const meant = other && near?.dayOfWeek !== weekday && other.dayOfWeek === weekday ? other : near;
  return meant ? [meant] : [];
}
