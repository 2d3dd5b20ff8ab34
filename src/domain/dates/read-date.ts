import { Temporal } from 'temporal-polyfill';
import { invalid, type Refusal } from '../../errors.js';
import { type Day, type Days, FIRST_YEAR, inRange, LAST_YEAR, MONTHS, one, sayDay, WEEKDAYS } from './calendar.js';
import { readDistance } from './durations.js';
import { readDays } from './relative-days.js';
import { type Clocked, type Time, takeClock } from './time-of-day.js';

/** When and where words are said. */
export interface Here {
  now: Date;
  timezone: string;
}

/**
 * What a field is about. `ahead` is for plans: words that lead to the past are refused. `back` is for what happened,
 * and refuses what is still to come. `either` takes both, and looks ahead first.
 */
export type Direction = 'ahead' | 'back' | 'either';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MOMENT = /^(\d{4}-\d{2}-\d{2})[t ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(z|[+-]\d{2}:?\d{2})?$/;

/** Longer text is no date: nothing below needs to be quick. */
const LONGEST = 100;

/**
 * Reads days or a moment: ISO 8601, or English words, judged in the user's zone. All of the text must be understood.
 *
 * @param field the name for the refusal
 * @returns undefined for what is no date
 * @throws Refusal `invalid` for what can mean two, for words that lead the wrong way in time, for a time that the
 *   clocks skip, and for one they show twice
 */
export function read(
  text: string,
  here: Here,
  field: string,
  direction: Direction,
): Days | Temporal.Instant | undefined {
  const said = plain(text);
  try {
    return readIso(said, here, field) ?? readWords(said, { text, here, field, direction });
  } catch (error) {
    if (error instanceof RangeError) return undefined; // Temporal's, for what is out of its range
    throw error;
  }
}

/** In one form: full-width digits, capitals in any locale, dashes, commas and points that mean nothing. */
export const plain = (text: string) =>
  text
    .slice(0, LONGEST + 1)
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\u2010-\u2015\u2212]/g, '-')
    .replace(/\u2019/g, "'")
    .replace(/[\s,]+/g, ' ')
    .replace(/\b([ap])\.m\b\.?/g, '$1m')
    .replace(/([a-z])\.(?= |$)/g, '$1')
    .replace(/\b(\d{4})(\d{2})(\d{2})\b/, '$1-$2-$3')
    .replace(/(\d)t(?=\d)/, '$1 ')
    .trim();

function readIso(said: string, here: Here, field: string): Days | Temporal.Instant | undefined {
  const [, date = '', time = '', offset = ''] = MOMENT.exec(said) ?? (DAY.test(said) ? [said, said] : []);
  if (!date) return undefined;
  const day = Temporal.PlainDate.from(date, { overflow: 'reject' });
  if (!inRange(day))
    throw invalid(
      `${field}: ${date} is out of range.`,
      `Years go from ${FIRST_YEAR} to ${LAST_YEAR}. For no date, leave ${field} out, or use none.`,
    );
  return time ? instantOf(Temporal.PlainDateTime.from(`${date}T${time}`), offset, here, field) : one(day, true);
}

/** What was said, and where: all that a refusal speaks of. */
interface Said {
  text: string;
  here: Here;
  field: string;
  direction: Direction;
}

/** One thing that words can mean: days, or a time of one. */
interface Meaning {
  days: Days;
  at?: Temporal.PlainDateTime;
}

function readWords(said: string, context: Said): Days | Temporal.Instant | undefined {
  if (said.length > LONGEST) return undefined;
  const { here, field, direction } = context;
  const present = Temporal.Instant.fromEpochMilliseconds(here.now.getTime()).toZonedDateTimeISO(here.timezone);
  const hour = Number(/^(\d{1,2}) ?h$/.exec(said)?.[1]);
  if (hour > 0 && hour < 24) {
    const away = toMinute(present.add({ hours: direction === 'back' ? -hour : hour })).toZonedDateTimeISO(
      here.timezone,
    );
    const at = nextSuch({ hour, minute: 0, second: 0, days: 0 }, present, direction);
    throw ambiguous(unique([at, { ...at, at: away.toPlainDateTime() }]), '', context);
  }
  const distance = readDistance(said);
  if (distance?.seconds) {
    const moment = present.add(distance);
    if (!inRange(moment)) return undefined;
    if (direction === (distance.sign > 0 ? 'back' : 'ahead')) throw wrongWay(withOffset(moment), context);
    return toMinute(moment);
  }
  const clocked = takeClock(said);
  const found = clocked && meanings(clocked, present, direction);
  if (!found) return undefined;
  if ('not' in found) {
    if (!inRange(found.not)) return undefined;
    throw invalid(
      `${field}: "${short(context.text)}" does not fit: ${found.not} is a ${WEEKDAYS[found.not.dayOfWeek - 1]}.`,
      `Use ${found.not}, or the date of the day that is meant. ${todayIs(here)}`,
    );
  }
  const { offset = '' } = clocked;
  const all = found.filter(({ days, at }) => inRange(at ?? days.first) && inRange(at ?? days.last));
  const fitting = all.filter((each) => each.days.exact || !isWrongWay(each, present, direction, offset));
  const [only, ...others] = fitting;
  if (others.length > 0) throw ambiguous(fitting, offset, context);
  if (!only) {
    if (all[0]) throw wrongWay(write(all[0], offset), context);
    return undefined;
  }
  return only.at ? instantOf(only.at, offset, here, field) : only.days;
}

function meanings(
  { rest, times, offset }: Clocked,
  present: Temporal.ZonedDateTime,
  direction: Direction,
): Meaning[] | { not: Day } | undefined {
  const today = present.toPlainDate();
  if (!rest) return offset ? undefined : unique(times.map((time) => nextSuch(time, present, direction)));
  const days = readDays(rest, today, direction === 'back' ? 'back' : 'ahead');
  if (!days || 'not' in days) return days;
  if (times.length === 0) return days.map((each) => ({ days: each }));
  return unique(
    days.flatMap((each) =>
      each.day ? times.map((time) => ({ days: each, at: atTime(each.day ?? today, time) })) : [],
    ),
  );
}

const atTime = (day: Day, { days, ...time }: Time) => day.add({ days }).toPlainDateTime(time);

/** A time without a day: the next such, or looking back, the latest. */
function nextSuch(time: Time, present: Temporal.ZonedDateTime, direction: Direction): Meaning {
  const at = atTime(present.toPlainDate(), time);
  const order = Temporal.PlainDateTime.compare(at, present.toPlainDateTime());
  const days = direction === 'back' ? (order > 0 ? -1 : 0) : order < 0 ? 1 : 0;
  return { days: one(present.toPlainDate()), at: at.add({ days }) };
}

const unique = (all: Meaning[]): Meaning[] =>
  all.filter(({ at }, index) => !at || all.findIndex((other) => other.at?.equals(at)) === index);

/** By what clocks show: they agree with the order of instants wherever a time is not shown twice. */
function isWrongWay({ days, at }: Meaning, present: Temporal.ZonedDateTime, direction: Direction, offset: string) {
  if (direction === 'either') return false;
  const order = at
    ? offset
      ? Temporal.Instant.compare(`${at}${offset}`, present.toInstant())
      : Temporal.PlainDateTime.compare(at, present.toPlainDateTime())
    : Temporal.PlainDate.compare(direction === 'back' ? days.first : (days.day ?? days.last), present);
  return direction === 'back' ? order > 0 : order < 0;
}

function instantOf(local: Temporal.PlainDateTime, offset: string, { timezone }: Here, field: string) {
  return offset ? Temporal.Instant.from(`${local}${offset}`) : resolveLocal(local, timezone, field);
}

/** A wall-clock time, unless the clocks skip it or show it twice that day: then both readings are offered. */
function resolveLocal(local: Temporal.PlainDateTime, timezone: string, field: string): Temporal.Instant {
  const earlier = local.toZonedDateTime(timezone, { disambiguation: 'earlier' });
  const later = local.toZonedDateTime(timezone, { disambiguation: 'later' });
  if (earlier.epochMilliseconds === later.epochMilliseconds) return earlier.toInstant();
  const skipped = !earlier.toPlainDateTime().equals(local);
  throw invalid(
    `${field}: ${shortest(local)} ${skipped ? 'does not exist' : 'happens twice'} in ${timezone}: the clocks change then.`,
    `Use ${withOffset(earlier)} or ${withOffset(later)}.`,
  );
}

const toMinute = (moment: Temporal.ZonedDateTime) =>
  moment.toInstant().round({ smallestUnit: 'minute', roundingMode: 'floor' });

const shortest = (local: Temporal.PlainDateTime) =>
  local.toString({ smallestUnit: local.second === 0 ? 'minute' : 'second' });

/** `2026-11-24T17:00+01:00`. */
export const withOffset = (zoned: Temporal.ZonedDateTime) =>
  zoned.toString({ smallestUnit: zoned.second === 0 ? 'minute' : 'second', timeZoneName: 'never' });

/** As one would write it to be understood. */
const write = ({ days, at }: Meaning, offset: string) => (at ? shortest(at) + offset : String(days.day ?? days.first));

const say = ({ days, at }: Meaning, offset: string) => {
  const day = at ?? days.day ?? days.first;
  const clock = at && ` ${at.toPlainTime().toString({ smallestUnit: 'minute' })}${offset}`;
  return `${day.day} ${MONTHS[day.month - 1]}${clock ?? ''}`;
};

const ambiguous = (all: Meaning[], offset: string, { text, field }: Said): Refusal =>
  invalid(
    `${field}: "${short(text)}" can mean ${listed(all.map((each) => say(each, offset)))}.`,
    `Use ${listed(all.map((each) => write(each, offset)))}.`,
  );

const listed = (all: string[]) => [all.slice(0, -1).join(', '), all.at(-1)].filter(Boolean).join(' or ');

const wrongWay = (written: string, { text, here, field, direction }: Said): Refusal =>
  direction === 'back'
    ? invalid(`${field}: "${short(text)}" is ${written}, still to come.`, `Use a day up to today. ${todayIs(here)}`)
    : invalid(
        `${field}: "${short(text)}" is ${written}, which is past.`,
        `Use ${written} if the past is meant. ${todayIs(here)}`,
      );

/** `Today is Sun 22 Nov 2026 (2026-11-22).` An agent often does not know. */
export function todayIs({ now, timezone }: Here): string {
  const day = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(timezone).toPlainDate();
  return `Today is ${sayDay(day)} (${day}).`;
}

/** As much of a text as a refusal repeats. */
export const short = (text: string) => [...text.slice(0, 100)].slice(0, 40).join('');
