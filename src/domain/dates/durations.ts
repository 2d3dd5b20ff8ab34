import type { Component } from 'chrono-node/en';
import { Temporal } from 'temporal-polyfill';
import type { LookDirection } from './calendar.js';
import { parseWithChrono, REFERENCE_DATE } from './chrono.js';

/**
 * A single, unambiguous amount. It excludes what chrono would guess: "a few" as 3, "the" as 1, half a week as 4 days,
 * "2m" as minutes, "2 mon" as months, "a day a day" as one day. Only hours can be fractional, and there are no seconds.
 */
const AMOUNT =
  /^(?:\d+ ?|(?:\d+\.\d+ ?|half an? )(?=h)|(?:a )?couple (?:of )?|(?!few|half|several|the)[a-z]+ )(?!(?:m|mon|s|secs?|seconds?)$)[a-z]+$/;

/** Reads one amount. Chrono returns the date it leads to, from which mixed months and days could not be separated. */
function readAmount(text: string): Temporal.Duration | undefined {
  const parsed = AMOUNT.test(text) ? parseWithChrono('amounts', `in ${text}`) : undefined;
  if (!parsed?.tags().has('result/relativeDate')) return undefined;
  const at = (part: Component) => parsed.get(part) ?? 0;
  const end = new Temporal.PlainDateTime(at('year'), at('month'), at('day'), at('hour'), at('minute'), at('second'));
  const largestUnit = parsed.isCertain('hour') ? 'second' : parsed.isCertain('day') ? 'day' : 'month';
  return Temporal.PlainDateTime.from(REFERENCE_DATE).until(end, { largestUnit });
}

/** Reads "3 days", "1h", "a couple of weeks", "1 hour and 30 minutes" as a duration in months, days and seconds. */
export function readDuration(text: string): Temporal.Duration | undefined {
  const amounts = text
    .replace(/(\S+) fortnights?\b/g, '$1 weeks and $1 weeks') // chrono does not know fortnights
    .replace(/wks?\b/g, 'weeks')
    .replace(/yrs\b/g, 'years')
    .replace(/(\dh ?\d+) ?m$/, '$1 minutes')
    .split(/ and | ?(?<=[a-z] ?)(?=\d)/);
  let total = new Temporal.Duration();
  for (const amount of amounts) {
    const { months, days, seconds } = readAmount(amount) ?? {};
    if (months === undefined || days === undefined || seconds === undefined) return undefined;
    total = Temporal.Duration.from({
      months: total.months + months,
      days: total.days + days,
      seconds: total.seconds + seconds,
    });
  }
  return total.blank && /\d ?(?:h|mi)/.test(text) ? undefined : total; // "in 0 minutes" is now, not today
}

/**
 * Reads "in 3 days", "within a week", "+2h", "2 weeks from now", and as negative "3 days ago". "3 days" alone is ahead
 * or, looking back, in the past, as is "last 24 hours".
 */
export function readOffsetFromNow(text: string, look: LookDirection): Temporal.Duration | undefined {
  const ago = /^(.+) ago$/.exec(text)?.[1] ?? (look === 'back' ? text.replace(/^(?:the )?(?:last|past) /, '') : '');
  const past = ago && readDuration(ago);
  if (past) return past.negated();
  return readDuration(text.replace(/^(?:in |within |\+ ?)/, '').replace(/ from (?:now|today)$/, ''));
}
