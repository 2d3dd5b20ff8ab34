/** How far away, as in "in 2 weeks" or "an hour and 30 minutes ago": a duration, and whether clocks matter. */
export interface Distance {
  duration: { minutes?: number; hours?: number; days?: number; months?: number };
  /** `-1` for what lies behind. */
  sign: 1 | -1;
  /** Whether hours or minutes were said, so that a moment is meant and not a day. */
  clock: boolean;
}

const NUMBERS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'];
const AMOUNT = `\\d{1,4}(?:\\.5)?|(?:half an?|(?:a )?couple(?: of)?|an?|${NUMBERS.join('|')})(?= )`;

const UNITS = [
  { word: /^(?:minutes?|mins?)$/, minutes: 1 },
  { word: /^(?:hours?|hrs?|h)$/, hours: 1 },
  { word: /^(?:days?|d)$/, days: 1 },
  { word: /^(?:weeks?|wks?|w)$/, days: 7 },
  { word: /^fortnights?$/, days: 14 },
  { word: /^months?$/, months: 1 },
  { word: /^quarters?$/, months: 3 },
  { word: /^(?:years?|yrs?|y)$/, months: 12 },
];
const STEP = new RegExp(`(?<amount>${AMOUNT}) ?(?<unit>[a-z]+)(?: and | )?`, 'y');

function amountOf(word: string): number {
  if (word.startsWith('half')) return 0.5;
  if (word.includes('couple')) return 2;
  if (word === 'a' || word === 'an') return 1;
  return NUMBERS.indexOf(word) + 1 || Number(word);
}

/** Reads "3 days", "1h", "a couple of weeks", "1 hour and 30 minutes". Only hours can be halved. */
export function readDuration(text: string): Omit<Distance, 'sign'> | undefined {
  const duration = { minutes: 0, hours: 0, days: 0, months: 0 };
  let clock = false;
  for (let at = 0; at < text.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const { amount = '', unit = '' } = STEP.exec(text)?.groups ?? {};
    const found = UNITS.find(({ word }) => word.test(unit));
    if (!found) return undefined;
    const many = amountOf(amount);
    if (!Number.isInteger(many) && !found.hours) return undefined;
    duration.minutes += many * (found.minutes ?? 0) + (many % 1) * 60;
    duration.hours += Math.floor(many) * (found.hours ?? 0);
    duration.days += many * (found.days ?? 0);
    duration.months += many * (found.months ?? 0);
    clock ||= Boolean(found.minutes ?? found.hours);
  }
  return text ? { duration, clock } : undefined;
}

/** Reads "in 3 days", "within a week", "+2h", "2 weeks from now", "3 days ago", and "3 days" as "in 3 days". */
export function readDistance(text: string): Distance | undefined {
  const ahead = /^(?:in |within |\+ ?)?(.+?)(?: from (?:now|today))?$/.exec(text)?.[1];
  const behind = /^(.+) ago$/.exec(text)?.[1];
  const read = readDuration(behind ?? ahead ?? '');
  return read && { ...read, sign: behind ? -1 : 1 };
}
