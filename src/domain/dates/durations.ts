import type { Component } from 'chrono-node/en';
import { Temporal } from 'temporal-polyfill';
import { ASKED, ask } from './chrono.js';

/**
 * One amount, said plainly. To chrono "a few" is 3, "the" is 1, half a week 4 days, "2m" minutes, "2 mon" months, and "a
 * day a day" one. Only hours can be halved, and nothing is due by the second.
 */
const AMOUNT =
  /^(?:\d+ ?|(?:\d+\.\d+ ?|half an? )(?=h)|(?:a )?couple (?:of )?|(?!few|half|several|the)[a-z]+ )(?!(?:m|mon|s|secs?|seconds?)$)[a-z]+$/;

/** Chrono tells where an amount leads, not how much it is: hence one at a time, for months and days have no sum. */
function readAmount(text: string): Temporal.Duration | undefined {
  const read = AMOUNT.test(text) ? ask('amounts', `in ${text}`) : undefined;
  if (!read?.tags().has('result/relativeDate')) return undefined;
  const at = (part: Component) => read.get(part) ?? 0;
  const end = new Temporal.PlainDateTime(at('year'), at('month'), at('day'), at('hour'), at('minute'), at('second'));
  const largestUnit = read.isCertain('hour') ? 'second' : read.isCertain('day') ? 'day' : 'month';
  return Temporal.PlainDateTime.from(ASKED).until(end, { largestUnit });
}

/** Reads "3 days", "1h", "a couple of weeks", "1 hour and 30 minutes": months, days and seconds. */
export function readDuration(text: string): Temporal.Duration | undefined {
  const amounts = text
    .replace(/(\S+) fortnights?\b/g, '$1 weeks and $1 weeks') // these chrono does not know
    .replace(/wks?\b/g, 'weeks')
    .replace(/yrs\b/g, 'years')
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
  return total.blank && /\d ?(?:h|mi)/.test(text) ? undefined : total; // in 0 minutes is now, not today
}

/** Reads "in 3 days", "within a week", "+2h", "2 weeks from now", "3 days ago", and "3 days" as "in 3 days". */
export function readDistance(text: string): Temporal.Duration | undefined {
  const behind = /^(.+) ago$/.exec(text)?.[1];
  if (behind) return readDuration(behind)?.negated();
  return readDuration(text.replace(/^(?:in |within |\+ ?)/, '').replace(/ from (?:now|today)$/, ''));
}
