/** A time of day; `days` is 1 for the midnight that ends a day. */
export interface Time {
  hour: number;
  minute: number;
  second: number;
  days: 0 | 1;
}

export interface Clocked {
  /** What is left when the time is taken out: the words for the day. */
  rest: string;
  /** None if no time was said, two if it can mean either. */
  times: Time[];
  /** `+00:00`, if the time was said with its distance from UTC. */
  offset?: string;
}

/**
 * Parts of a day, and the hours they may name. Morning is 09:00, afternoon 15:00, evening 19:00 unless a time says
 * otherwise; a night or an "end of day" alone is the day itself, which is due by its end.
 */
const PARTS: Record<string, { hour?: number; from: number; until: number }> = {
  morning: { hour: 9, from: 0, until: 12 },
  afternoon: { hour: 15, from: 12, until: 18 },
  evening: { hour: 19, from: 16, until: 24 },
  night: { from: 18, until: 24 },
  eod: { from: 12, until: 24 },
};
const PART_LAST = /(?:^| )(?:in the |at )?(?<part>morning|afternoon|evening|night|eod)$/;
const PART_FIRST = /^(?:in the |at )?(?<part>morning|afternoon|evening|night|eod)(?: on (?=.)| |$)/;

const ZONE = '(?: ?(?<zone>z|(?:utc|gmt)(?:[+-]\\d{1,2}(?::?\\d{2})?)?|\\+\\d{2}:?\\d{2}))?';
const CLOCK = `(?:${[
  '(?:(?:at|by|@) ?)?(?<hour>\\d{1,2}):(?<minute>\\d{2})(?::(?<second>\\d{2}))?(?: ?(?<half>[ap]m))?',
  '(?:(?:at|by|@) ?)?(?<hour12>\\d{1,2})(?:\\.(?<minute12>\\d{2}))? ?(?<half12>[ap]m)',
  "(?:at|@) ?(?<bare>\\d{1,2})(?: o'?clock)?",
  '(?:(?:at|by|@) ?)?(?<word>noon|midday|midnight)',
].join('|')})${ZONE}`;
const CLOCK_LAST = new RegExp(`(?:^| )${CLOCK}$`);
const CLOCK_FIRST = new RegExp(`^${CLOCK}(?: on (?=.)| |$)`);

/**
 * Takes the time of day out of words: "5pm", "17:00", "at 17", "9am utc", "noon", "in the morning".
 *
 * Hours and minutes without am or pm are of 24 hours. "At 5" can be 05:00 or 17:00, "midnight" can begin a day or
 * end it: both readings are answered.
 *
 * This is not left to chrono. It takes any two digits for an hour ("friday 13"), 0am for a time, "est" for a
 * zone, and tells neither "at 5" from 05:00 nor the two midnights apart; and it stays with the days that it knows.
 *
 * @returns undefined for a time that no clock shows, such as 25:00 or 17 pm
 */
export function takeClock(text: string): Clocked | undefined {
  const words = text
    .replace(/\btonight\b/, 'today night')
    .replace(/\blast night\b/, 'yesterday night')
    .replace(/\bthis (morning|afternoon|evening)\b/, 'today $1')
    .replace(/\bend of (?:the )?day\b/, 'eod');
  // "Monday morning at 8" and "Monday at 8 in the morning": whichever is outside is taken first.
  const outer = take(words, PART_LAST, PART_FIRST);
  const clock = take(outer.rest, CLOCK_LAST, CLOCK_FIRST);
  const inner = outer.said ? clock : take(clock.rest, PART_LAST, PART_FIRST);
  const { rest } = inner;
  const part = PARTS[(outer.said ?? inner.said)?.part ?? ''];
  const said = clock.said;
  if (!said) return { rest: rest || (part && !part.hour ? 'today' : ''), times: part?.hour ? [time(part.hour)] : [] };
  const times = timesOf(said).filter(isOnClock);
  const meant = part ? times.flatMap((each) => within(part, each, said)) : times;
  if (meant.length === 0) return undefined;
  return { rest, times: meant, ...(said.zone && { offset: offsetOf(said.zone) }) };
}

type Said = Record<string, string | undefined>;

/** Takes what a pattern finds at the end of words or at their start, and nothing from between. */
function take(words: string, last: RegExp, first: RegExp): { rest: string; said?: Said } {
  const match = last.exec(words) ?? first.exec(words);
  if (!match?.groups) return { rest: words };
  return {
    rest: (match.index > 0 ? words.slice(0, match.index) : words.slice(match[0].length)).trim(),
    said: match.groups,
  };
}

const time = (hour: number, minute = 0, second = 0, days: 0 | 1 = 0): Time => ({ hour, minute, second, days });
const isOnClock = ({ hour, minute, second }: Time) => hour < 24 && minute < 60 && second < 60;
const NOWHERE = 99;

function timesOf(said: Said): Time[] {
  if (said.word === 'midnight') return [time(0), time(0, 0, 0, 1)];
  if (said.word) return [time(12)];
  const hour = Number(said.hour ?? said.hour12 ?? said.bare);
  if (said.bare) {
    if (hour === 12) return [time(12), time(0, 0, 0, 1)];
    return hour === 0 || hour > 12 ? [time(hour)] : [time(hour), time(hour + 12)];
  }
  const half = said.half ?? said.half12;
  const of24 = !half ? hour : hour < 1 || hour > 12 ? NOWHERE : (hour % 12) + (half === 'pm' ? 12 : 0);
  return [time(of24, Number(said.minute ?? said.minute12 ?? 0), Number(said.second ?? 0))];
}

/** "8:30" of an evening is 20:30. A time that is of another part of the day is none. */
function within(part: { from: number; until: number }, at: Time, said: Said): Time[] {
  const open = !(said.half ?? said.half12 ?? said.bare ?? said.word) && at.hour > 0 && at.hour < 12;
  const choices = open && at.hour < part.from ? [time(at.hour + 12, at.minute, at.second)] : [at];
  return choices.filter(({ hour, days }) => (days === 1 ? part.until === 24 : hour >= part.from && hour < part.until));
}

function offsetOf(zone: string): string {
  const [, sign = '+', hours = '0', minutes = '00'] = /([+-])(\d{1,2}):?(\d{2})?$/.exec(zone) ?? [];
  return `${sign}${hours.padStart(2, '0')}:${minutes}`;
}
