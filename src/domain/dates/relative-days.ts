import { Temporal } from 'temporal-polyfill';
import {
  type Day,
  type DayRange,
  existingDay,
  type LookDirection,
  nearestDay,
  period,
  type Reading,
  singleDay,
} from './calendar.js';
import { numberOf, ORDINAL, ORDINALS, WEEKDAY, WEEKDAYS } from './date-words.js';
import { readDuration, readOffsetFromNow } from './durations.js';
import { readWritten } from './written-dates.js';

const UNIT = 'week|month|quarter|year';
const WORKDAY = '(?:business |working |work ?|week)day';
const NTH = ORDINALS.slice(0, 5).join('|');

const oneOrOther = (a: Day, b: Day): DayRange[] => (a.equals(b) ? [singleDay(a)] : [singleDay(a), singleDay(b)]);

const OFFSETS = new Map(Object.entries({ next: 1, coming: 1, last: -1, past: -1, previous: -1 }));
const offsetOf = (word = '') => OFFSETS.get(word) ?? 0;

const isWorkday = ({ dayOfWeek }: Day) => dayOfWeek < 6;

/** Returns the nth of the days that fit from a day on or, with a step of -1, back from it. */
function nthDay(nth: number, from: Day, step: 1 | -1, fits: (day: Day) => boolean): Day {
  let day = from;
  for (let left = nth; ; day = day.add({ days: step })) if (fits(day) && --left <= 0) return day;
}

/** Returns the periods that words stand for: "next month", "december", "month" for this one. */
function periodsOf(text: string, today: Day, look: LookDirection): DayRange[] {
  const found = readDays(text, today, look) ?? readDays(`this ${text}`, today, look);
  return Array.isArray(found) ? found.filter(({ first, last }) => !first.equals(last)) : [];
}

type Rule = (text: string[], today: Day, look: LookDirection) => Reading | undefined;
const rule = (pattern: string, read: Rule): [RegExp, Rule] => [new RegExp(`^(?:${pattern})$`), read];

/**
 * Rules for words without a date. Weeks begin on Monday. If there are two readings, both are returned.
 *
 * - "friday": the first one after today (looking back, the last before). On a Friday, "this friday" can also be today.
 * - "next friday": the first one after today or the one of next week.
 * - "last friday": the last one before today.
 * - "this weekend": its Saturday; on a Sunday, today. "Next weekend" is ambiguous like "next friday".
 * - "next week", "next month": their first day. "This week" is a range without a single day.
 * - "in 2 business days": the second workday (Monday to Friday) after today; holidays are not known.
 * - "end of week": its Sunday. "In a month": the same day of next month, or that month's last if it is shorter.
 */
const RULES: [RegExp, Rule][] = [
  rule('(today)|(yesterday)|tomorrow|tmrw?', ([now, past], today) => [
    singleDay(today.add({ days: now ? 0 : past ? -1 : 1 })),
  ]),
  rule(`(?:(this|(?:this )?coming|next|last|past) )?(${WEEKDAY})`, ([which = '', name = ''], today, look) => {
    const number = numberOf(WEEKDAYS, name);
    const coming = today.add({ days: ((number - today.dayOfWeek + 6) % 7) + 1 });
    const latest = today.subtract({ days: ((today.dayOfWeek - number + 6) % 7) + 1 });
    if (which === 'next') return oneOrOther(coming, period('week', today, 1).first.add({ days: number - 1 }));
    if (which === 'this' && number === today.dayOfWeek) return oneOrOther(today, coming);
    return [singleDay(offsetOf(which) < 0 || (which === '' && look === 'back') ? latest : coming)];
  }),
  rule(
    `(${WEEKDAY}) (?:of )?(this|next|last) week|(this|next|last) week (?:on )?(${WEEKDAY})`,
    ([before, step, which, after], today) => {
      const number = numberOf(WEEKDAYS, before ?? after ?? '');
      return [singleDay(period('week', today, offsetOf(step ?? which)).first.add({ days: number - 1 }))];
    },
  ),
  rule('(?:(this|next|last) )?weekend', ([which], today) => {
    const saturday = period('week', today, offsetOf(which)).first.add({ days: 5 });
    const weekend = (first: Day): DayRange => ({ first, last: first.add({ days: 1 }), day: first });
    if (which === 'next' && today.dayOfWeek < 6) return [weekend(saturday.subtract({ days: 7 })), weekend(saturday)];
    return [{ ...weekend(saturday), day: !offsetOf(which) && today.dayOfWeek === 7 ? today : saturday }];
  }),
  rule(`(this|next|last|past|previous|coming) (${UNIT})`, ([which, unit = ''], today) => {
    const days = period(unit, today, offsetOf(which));
    return [which === 'this' ? days : { ...days, day: days.first }];
  }),
  rule('q([1-4])(?: (\\d{4}))?', ([quarter, year], today, look) => {
    const begin = (year: number) => existingDay(year, 3 * Number(quarter) - 2, 1);
    const near = () => nearestDay((offset) => begin(today.year + offset), period('quarter', today).first, look);
    const firsts = year ? begin(Number(year)) : near();
    return firsts.map((first) => ({ ...period('quarter', first), exact: Boolean(year) }));
  }),
  rule('(start|beginning|end|first day|last day) of (?:the )?(.+)', ([edge, text = ''], today, look) =>
    periodsOf(text, today, look).map(({ first, last, exact }) =>
      singleDay(edge === 'end' || edge === 'last day' ? last : first, exact),
    ),
  ),
  rule(
    `(?:(${NTH}|last)|${ORDINAL}) (${WEEKDAY}|${WORKDAY}) (?:of|in) (?:the )?(.+)`,
    ([word = '', digits, name = '', text = ''], today, look) => {
      const number = numberOf(WEEKDAYS, name);
      const fits = (day: Day) => (number ? day.dayOfWeek === number : isWorkday(day));
      const nth = Number(digits ?? ORDINALS.indexOf(word) + 1);
      return periodsOf(text, today, look).flatMap(({ first, last, exact }) => {
        const day = word === 'last' ? nthDay(1, last, -1, fits) : nthDay(nth, first, 1, fits);
        return Temporal.PlainDate.compare(day, last) > 0 ? [] : [singleDay(day, exact)];
      });
    },
  ),
  rule(
    `(?:in )?(\\d{1,3}|[a-z]+) ${WORKDAY}s?(?: (from|after|before) (.+))?`,
    ([amount = '', way, start = 'today'], today, look) => {
      const offset = offsetOf(amount);
      const step = way ? (way === 'before' ? -1 : 1) : offset < 0 ? -1 : 1;
      const count = offset ? Number(offset === step) : readDuration(`${amount} day`)?.days;
      const from = readDays(start.replace(/^now$/, 'today'), today, look);
      if (!count || !Array.isArray(from)) return undefined;
      return from.flatMap(({ day, exact }) =>
        day ? [singleDay(nthDay(count, day.add({ days: step }), step, isWorkday), exact)] : [],
      );
    },
  ),
  rule('eo([wmqy])', ([letter], today) => [
    singleDay(period(UNIT.split('|').find((unit) => unit[0] === letter) ?? '', today).last),
  ]),
  rule('(next|last|past) (.+)', ([which, text = ''], today) => {
    const said = readDuration(text);
    if (!said || said.seconds) return undefined;
    return [
      offsetOf(which) > 0 ? { first: today, last: today.add(said) } : { first: today.subtract(said), last: today },
    ];
  }),
  rule('(.+) (from|after|before) (.+)', ([text = '', way, start = ''], today, look) => {
    const said = readDuration(text === 'day' ? '1 day' : text);
    const by = way === 'before' ? said?.negated() : said;
    const from = by && !by.seconds ? readDays(start, today, look) : undefined;
    if (!by || !Array.isArray(from)) return undefined;
    return from.flatMap(({ day, exact }) => (day ? [singleDay(day.add(by), exact)] : []));
  }),
  rule(`${ORDINAL} (?:of )?(this|next|last) month`, ([number, which], today) => {
    const month = period('month', today, offsetOf(which)).first;
    return existingDay(month.year, month.month, Number(number)).map((day) => singleDay(day));
  }),
  rule('(\\d{4})-(\\d{2})', ([year, month]) =>
    existingDay(Number(year), Number(month), 1).map((day) => period('month', day)),
  ),
];

/** Reads words for days, in lower case with single spaces; returns undefined for all others, also with a time. */
export function readDays(text: string, today: Day, look: LookDirection): Reading | undefined {
  const said = text.replace(/^(?:on |by )?(?:the )?/, '');
  const distance = readOffsetFromNow(said, look);
  if (distance && !distance.seconds) return [singleDay(today.add(distance))];
  for (const [pattern, read] of RULES) {
    const match = pattern.exec(said);
    const reading = match && read(match.slice(1), today, look);
    if (reading && (!Array.isArray(reading) || reading.length > 0)) return reading;
  }
  return readWritten(said, today, look);
}
