import type { LookDirection } from './calendar.js';

/** A time of day. `days` is 1 for the midnight at the end of the day. */
export interface Time {
  hour: number;
  minute: number;
  second: number;
  days: 0 | 1;
  /** Given in figures without am or pm: in a part of the day, 8:30 can be 20:30. */
  bare?: boolean;
}

/** Formats a time as `09:00`, with seconds if they are not 0. */
export const formatTime = ({ hour, minute, second }: Time): string =>
  [hour, minute, ...(second ? [second] : [])].map((value) => String(value).padStart(2, '0')).join(':');

export interface WithTime {
  /** The words left after removing the time: those for the day. */
  rest: string;
  /** Empty if no time was given, two if it is ambiguous. */
  times: Time[];
  /** `+00:00`, if the time was given with a UTC offset. */
  offset?: string;
}

/**
 * Parts of a day, and the hours that they include. Without a time, morning is 09:00, afternoon 15:00 and evening 19:00,
 * and "night" or "end of day" is the day itself, which is due by its end.
 */
const PARTS: Record<string, { hour?: number; from: number; until: number }> = {
  morning: { hour: 9, from: 0, until: 12 },
  afternoon: { hour: 15, from: 12, until: 18 },
  evening: { hour: 19, from: 16, until: 24 },
  night: { from: 18, until: 24 },
  eod: { from: 12, until: 24 },
};

/** Tells whether a word is a part of the day: `eod` stands for its end. */
export const isDayPart = (word: string): boolean => Object.hasOwn(PARTS, word);

/**
 * Returns the time that is meant in a part of the day: "8:30" in the evening is 20:30. Returns undefined for a time
 * outside that part and, if none was given, for a night and the end of a day.
 */
export function timeInPart(part: string, given?: Time): Time | undefined {
  const { hour, from = 0, until = 24 } = PARTS[part] ?? {};
  if (!given) return hour === undefined ? undefined : clockTime(hour);
  const { hour: said } = given;
  const at = given.bare && said > 0 && said < Math.min(from, 12) ? { ...given, hour: said + 12 } : given;
  const fits = at.days === 1 ? until === 24 : at.hour >= from && at.hour < until;
  return fits ? at : undefined;
}

/** Returns when a part of the day begins; undefined for the end of a day, which stands for the whole day. */
const startOfPart = (part: string): Time | undefined =>
  part === 'eod' ? undefined : clockTime(PARTS[part]?.from ?? 0);

/** Replaces the words for an end of the day by one. */
export const withShortEnd = (text: string): string =>
  text.replace(
    /\b(?:(?:the )?end of (?:the )?(?:business |work(?:ing)? )?day|(?:end|close) of business|cob|eob)\b/,
    'eod',
  );

const PART = `(?:in the |at |by )?(?<part>${Object.keys(PARTS).join('|')})`;
const PART_LAST = new RegExp(`(?:^| )${PART}$`);
const PART_FIRST = new RegExp(`^${PART}(?: on (?=.)| |$)`);

const ZONE = '(?: ?(?<zone>z|(?:utc|gmt)(?:[+-]\\d{1,2}(?::?\\d{2})?)?|\\+\\d{2}:?\\d{2}))?';
const CLOCK = `(?:${[
  '(?:(?:at|by|@) ?)?(?<hour>\\d{1,2}):(?<minute>\\d{2})(?::(?<second>\\d{2}))?(?: ?(?<half>[ap]m))?',
  '(?:(?:at|by|@) ?)?(?<hour12>\\d{1,2})(?:\\.(?<minute12>\\d{2}))? ?(?<half12>[ap]m)',
  "(?:(?:at|@) ?|(?=\\d+ o'?clock))(?<bare>\\d{1,2})(?: o'?clock)?",
  '(?:(?:at|by|@) ?)?(?<word>noon|midday|midnight)',
].join('|')})${ZONE}`;
const CLOCK_LAST = new RegExp(`(?:^| )${CLOCK}$`);
const CLOCK_FIRST = new RegExp(`^${CLOCK}(?: on (?=.)| |$)`);

/**
 * Splits the time of day from the words: "5pm", "17:00", "at 17", "9am utc", "noon", "in the morning".
 *
 * Hours with minutes and without am or pm are on the 24-hour clock. "At 5" can be 05:00 or 17:00, and "midnight" the
 * start or the end of a day: both readings are returned.
 *
 * Chrono is not used for this: it takes any two digits for an hour ("friday 13"), 0am for a time and "est" for a zone,
 * does not distinguish "at 5" from 05:00 or the two midnights, and supports only the words for days that it knows.
 *
 * @param look looking back, a part of the day without a time stands for its beginning
 * @returns undefined for an impossible time, such as 25:00 or 17 pm
 */
export function splitTimeOfDay(text: string, look: LookDirection): WithTime | undefined {
  const words = withShortEnd(text)
    .replace(/\btonight\b/, 'today night')
    .replace(/\blast night\b/, 'yesterday night')
    .replace(/\bthis (morning|afternoon|evening)\b/, 'today $1')
    .replace(/\bfirst thing (?=.*\bmorning\b)/, '')
    .replace(/\bfirst thing\b/, 'morning');
  // The outer part is removed first, as in "Monday morning at 8" and "Monday at 8 in the morning".
  const outer = take(words, PART_LAST, PART_FIRST);
  const clock = take(outer.rest, CLOCK_LAST, CLOCK_FIRST);
  const inner = outer.said ? clock : take(clock.rest, PART_LAST, PART_FIRST);
  const { rest } = inner;
  const part = (outer.said ?? inner.said)?.part;
  const said = clock.said;
  if (!said) {
    const at = part && (look === 'back' ? startOfPart : timeInPart)(part);
    return { rest: rest || (part && !at ? 'today' : ''), times: at ? [at] : [] };
  }
  const times = timesOf(said);
  const meant = part ? times.flatMap((each) => timeInPart(part, each) ?? []) : times;
  if (meant.length === 0) return undefined;
  return { rest, times: meant, ...(said.zone && { offset: offsetOf(said.zone) }) };
}

type Said = Record<string, string | undefined>;

/** Cuts off what `last` matches at the end of the words, or else what `first` matches at their start. */
function take(words: string, last: RegExp, first: RegExp): { rest: string; said?: Said } {
  const match = last.exec(words) ?? first.exec(words);
  if (!match?.groups) return { rest: words };
  return {
    rest: (match.index > 0 ? words.slice(0, match.index) : words.slice(match[0].length)).trim(),
    said: match.groups,
  };
}

export const clockTime = (hour: number, minute = 0, second = 0, days: 0 | 1 = 0): Time => ({
  hour,
  minute,
  second,
  days,
});
const isOnClock = ({ hour, minute, second }: Time) => hour < 24 && minute < 60 && second < 60;
const INVALID_HOUR = 99;

/** Returns the times that the named parts of `CLOCK` can mean; none if they are impossible, such as 25:00 or 17 pm. */
export const timesOf = (said: Said): Time[] => readingsOf(said).filter(isOnClock);

function readingsOf(said: Said): Time[] {
  if (said.word === 'midnight') return [clockTime(0), clockTime(0, 0, 0, 1)];
  if (said.word) return [clockTime(12)];
  const hour = Number(said.hour ?? said.hour12 ?? said.bare);
  if (said.bare) {
    if (hour === 12) return [clockTime(12), clockTime(0, 0, 0, 1)];
    return hour === 0 || hour > 12 ? [clockTime(hour)] : [clockTime(hour), clockTime(hour + 12)];
  }
  if (hour === 24 && !said.half && Number(said.minute) + Number(said.second ?? 0) === 0) return [clockTime(0, 0, 0, 1)];
  const meridiem = said.half ?? said.half12;
  const hour24 = !meridiem ? hour : hour < 1 || hour > 12 ? INVALID_HOUR : (hour % 12) + (meridiem === 'pm' ? 12 : 0);
  const at = clockTime(hour24, Number(said.minute ?? said.minute12 ?? 0), Number(said.second ?? 0));
  return [{ ...at, bare: !meridiem }];
}

function offsetOf(zone: string): string {
  const [, sign = '+', hours = '0', minutes = '00'] = /([+-])(\d{1,2}):?(\d{2})?$/.exec(zone) ?? [];
  return `${sign}${hours.padStart(2, '0')}:${minutes}`;
}
