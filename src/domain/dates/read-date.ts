import { Temporal } from 'temporal-polyfill';
import { invalid, type Refusal, truncateForMessage } from '../../errors.js';
import {
  type Day,
  type DayRange,
  FIRST_YEAR,
  inRange,
  LAST_YEAR,
  type LookDirection,
  singleDay,
  withinRange,
} from './calendar.js';
import { type TimeContext, todayIs, withOffset } from './clock.js';
import { MONTHS, WEEKDAYS } from './date-words.js';
import { readOffsetFromNow } from './durations.js';
import { readDays } from './relative-days.js';
import { clockTime, splitTimeOfDay, type Time, type WithTime } from './time-of-day.js';

/**
 * Which dates a field accepts: `ahead` (plans) refuses words for the past, `back` (events) refuses the future, and
 * `either` accepts both, but prefers the future.
 */
export type Direction = 'ahead' | 'back' | 'either';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MOMENT = /^(\d{4}-\d{2}-\d{2})[t ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(z|[+-]\d{2}:?\d{2})?$/;

/** Longer text is rejected, so the parsing below need not be fast. */
const LONGEST = 100;

/**
 * Reads days or an instant from ISO 8601 or English words, in the user's zone. The whole text must be understood.
 *
 * @param field the field's name, for refusals
 * @returns undefined if the text is not a date
 * @throws Refusal `invalid` for ambiguous words, a wrong weekday, words for the wrong direction in time, a year out of
 *   range, and a time that the clocks skip or repeat
 */
export function readDaysOrInstant(
  text: string,
  context: TimeContext,
  field: string,
  direction: Direction,
): DayRange | Temporal.Instant | undefined {
  const normal = normalizeText(text).replace(/^(?:no|not) later than | at the latest$/g, '');
  return withinRange(() => readIso(normal, context, field) ?? readWords(normal, { text, context, field, direction }));
}

/** Normalizes full-width digits, case (in any locale), dashes, commas, meaningless points and compact ISO dates. */
export const normalizeText = (text: string) =>
  text
    .replace(/[\s,]+/g, ' ')
    .trim()
    .slice(0, LONGEST + 1)
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\u2010-\u2015\u2212]/g, '-')
    .replace(/\u2019/g, "'")
    .replace(/[\s,]+/g, ' ') // also of those that were full-width
    .replace(/\b([ap])\.m\b\.?/g, '$1m')
    .replace(/([a-z])\.(?= |$)/g, '$1')
    .replace(/\b(\d{4})(\d{2})(\d{2})\b/, '$1-$2-$3')
    .replace(/(\d)t(?=\d)/, '$1 ')
    .trim();

function readIso(words: string, context: TimeContext, field: string): DayRange | Temporal.Instant | undefined {
  const [, date = '', time = '', offset = ''] = MOMENT.exec(words) ?? (DAY.test(words) ? [words, words] : []);
  if (!date) return undefined;
  const day = Temporal.PlainDate.from(date, { overflow: 'reject' });
  if (!inRange(day))
    throw invalid(
      `${field}: ${date} is out of range.`,
      `Use a year from ${FIRST_YEAR} to ${LAST_YEAR}. For no date, omit ${field} or use none.`,
    );
  if (!time) return singleDay(day, true);
  const local = /^24:00(?::00)?$/.test(time)
    ? day.add({ days: 1 }).toPlainDateTime() // ISO 8601-1:2019/Amd 1:2022
    : Temporal.PlainDateTime.from(`${date}T${time}`);
  return instantOf(local, offset, context, field);
}

/** The text and its context, as refusals need them. */
interface Said {
  text: string;
  context: TimeContext;
  field: string;
  direction: Direction;
}

/** One reading of the words: days, or a time on a day. */
interface Meaning {
  days: DayRange;
  at?: Temporal.PlainDateTime;
}

function readWords(words: string, said: Said): DayRange | Temporal.Instant | undefined {
  if (words.length > LONGEST) return undefined;
  const { context, field, direction } = said;
  const look = direction === 'back' ? 'back' : 'ahead';
  const present = Temporal.Instant.fromEpochMilliseconds(context.now.getTime()).toZonedDateTimeISO(context.timezone);
  const hour = Number(/^(\d{1,2}) ?h$/.exec(words)?.[1]);
  if (hour > 0 && hour < 24) {
    const distant = toMinute(present.add({ hours: direction === 'back' ? -hour : hour })).toZonedDateTimeISO(
      context.timezone,
    );
    const at = nextSuch(clockTime(hour), present, look);
    throw ambiguous(unique([at, { ...at, at: distant.toPlainDateTime() }]), '', said);
  }
  const distance = readOffsetFromNow(words, look);
  if (distance?.seconds) {
    const moment = present.add(distance);
    if (!inRange(moment)) return undefined;
    if (direction === (distance.sign > 0 ? 'back' : 'ahead')) throw wrongWay(withOffset(moment), said);
    return toMinute(moment);
  }
  const clocked = splitTimeOfDay(words, look);
  const readings = clocked && candidates(clocked, present, look);
  if (!readings) return undefined;
  if ('not' in readings) {
    if (!inRange(readings.not)) return undefined;
    throw invalid(
      `${field}: "${truncateForMessage(said.text)}" has the wrong weekday: ${readings.not} is a ${WEEKDAYS[readings.not.dayOfWeek - 1]}.`,
      `Use ${readings.not}, or the date of the intended day. ${todayIs(context)}`,
    );
  }
  const { offset = '' } = clocked;
  const all = readings.filter(({ days, at }) => inRange(at ?? days.first) && inRange(at ?? days.last));
  const allowed = all.filter((each) => each.days.exact || !isWrongWay(each, present, direction, offset));
  const [only, ...others] = allowed;
  if (others.length > 0) throw ambiguous(allowed, offset, said);
  if (!only) {
    if (all[0]) throw wrongWay(write(all[0], offset), said);
    return undefined;
  }
  return only.at ? instantOf(only.at, offset, context, field) : only.days;
}

function candidates(
  { rest, times, offset }: WithTime,
  present: Temporal.ZonedDateTime,
  look: LookDirection,
): Meaning[] | { not: Day } | undefined {
  const today = present.toPlainDate();
  if (!rest) return offset ? undefined : unique(times.map((time) => nextSuch(time, present, look)));
  const days = readDays(rest, today, look);
  if (!days || 'not' in days) return days;
  if (times.length === 0) return days.map((each) => ({ days: each }));
  return unique(
    days.flatMap((each) =>
      each.day ? times.map((time) => ({ days: each, at: atTime(each.day ?? today, time) })) : [],
    ),
  );
}

const atTime = (day: Day, { days, ...time }: Time) => day.add({ days }).toPlainDateTime(time);

/** Resolves a time without a day: to the next such time or, looking back, the latest. */
function nextSuch(time: Time, present: Temporal.ZonedDateTime, look: LookDirection): Meaning {
  const at = atTime(present.toPlainDate(), time);
  const order = Temporal.PlainDateTime.compare(at, present.toPlainDateTime());
  const days = look === 'back' ? (order > 0 ? -1 : 0) : order < 0 ? 1 : 0;
  return { days: singleDay(present.toPlainDate()), at: at.add({ days }) };
}

const unique = (all: Meaning[]): Meaning[] =>
  all.filter(({ at }, index) => !at || all.findIndex((other) => other.at?.equals(at)) === index);

/** Compares wall-clock times, which are in the order of their instants unless the clocks repeat them. */
function isWrongWay({ days, at }: Meaning, present: Temporal.ZonedDateTime, direction: Direction, offset: string) {
  if (direction === 'either') return false;
  const order = at
    ? offset
      ? Temporal.Instant.compare(`${at}${offset}`, present.toInstant())
      : Temporal.PlainDateTime.compare(at, present.toPlainDateTime())
    : Temporal.PlainDate.compare(direction === 'back' ? days.first : (days.day ?? days.last), present);
  return direction === 'back' ? order > 0 : order < 0;
}

function instantOf(local: Temporal.PlainDateTime, offset: string, { timezone }: TimeContext, field: string) {
  return offset ? Temporal.Instant.from(`${local}${offset}`) : resolveLocal(local, timezone, field);
}

/** @throws Refusal `invalid`, offering both readings, for a wall-clock time that the clocks skip or repeat */
function resolveLocal(local: Temporal.PlainDateTime, timezone: string, field: string): Temporal.Instant {
  const earlier = local.toZonedDateTime(timezone, { disambiguation: 'earlier' });
  const later = local.toZonedDateTime(timezone, { disambiguation: 'later' });
  if (earlier.epochMilliseconds === later.epochMilliseconds) return earlier.toInstant();
  const skipped = !earlier.toPlainDateTime().equals(local);
  throw invalid(
    `${field}: ${shortest(local)} ${skipped ? 'does not exist' : 'occurs twice'} in ${timezone} because the clocks change.`,
    `Use ${withOffset(earlier)} or ${withOffset(later)}.`,
  );
}

const toMinute = (moment: Temporal.ZonedDateTime) =>
  moment.toInstant().round({ smallestUnit: 'minute', roundingMode: 'floor' });

const shortest = (local: Temporal.PlainDateTime) =>
  local.toString({ smallestUnit: local.second === 0 ? 'minute' : 'second' });

/** Formats a reading as unambiguous input. */
const write = ({ days, at }: Meaning, offset: string) => (at ? shortest(at) + offset : String(days.day ?? days.first));

const format = ({ days, at }: Meaning, offset: string) => {
  const day = at ?? days.day ?? days.first;
  const clock = at && ` ${at.toPlainTime().toString({ smallestUnit: 'minute' })}${offset}`;
  return `${day.day} ${MONTHS[day.month - 1]}${clock ?? ''}`;
};

const ambiguous = (all: Meaning[], offset: string, { text, field }: Said): Refusal =>
  invalid(
    `${field}: "${truncateForMessage(text)}" can mean ${joinedWithOr(all.map((each) => format(each, offset)))}.`,
    `Use ${joinedWithOr(all.map((each) => write(each, offset)))}.`,
  );

const joinedWithOr = (all: string[]) => [all.slice(0, -1).join(', '), all.at(-1)].filter(Boolean).join(' or ');

const wrongWay = (written: string, { text, context, field, direction }: Said): Refusal =>
  direction === 'back'
    ? invalid(
        `${field}: "${truncateForMessage(text)}" is ${written}, in the future.`,
        `Use today or an earlier day. ${todayIs(context)}`,
      )
    : invalid(
        `${field}: "${truncateForMessage(text)}" is ${written}, in the past.`,
        `Use ${written} if you mean the past. ${todayIs(context)}`,
      );
