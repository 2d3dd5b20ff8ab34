import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dateReaders } from '../../src/domain/dates/chrono.js';
import { nextOccurrence, upcoming } from '../../src/domain/recurrence/follow-series.js';
import { rruleLibrary } from '../../src/domain/recurrence/occurrences.js';
import { parseRepeat } from '../../src/domain/recurrence/read-repeat.js';
import { sayRepeat } from '../../src/domain/recurrence/say-rule.js';
import { Refusal } from '../../src/errors.js';

await Promise.all([rruleLibrary.load(), dateReaders.load()]);

/**
 * Another way to the same days, which shares no code with the first: it walks the calendar day by day and asks of
 * each whether it fits, with local times found by asking Intl. fast-check prints the seed of a failure.
 */
const SEED = 20261124;
const RUNS = 1500;

interface Parts {
  freq: string;
  interval: number;
  byMonth?: number[];
  byWeekNo?: number[];
  byYearDay?: number[];
  byMonthDay?: number[];
  byDay?: string[];
  bySetPos?: number[];
  weekStart: string;
}

const CODES = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];
const code = fc.constantFrom(...CODES);
const some = <T>(one: fc.Arbitrary<T>, maxLength: number) => fc.uniqueArray(one, { minLength: 1, maxLength });
const nth = (max: number) => fc.oneof(fc.integer({ min: 1, max }), fc.integer({ min: -max, max: -1 }));
const perhaps = <T>(weight: number, one: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 10 - weight, arbitrary: fc.constant(undefined) }, { weight, arbitrary: one });
const nthDay = (max: number) =>
  fc.oneof(
    some(code, 4),
    some(
      fc.tuple(nth(max), code).map(([n, day]) => `${n}${day}`),
      3,
    ),
    some(
      fc.oneof(
        code,
        fc.tuple(nth(max), code).map(([n, day]) => `${n}${day}`),
      ),
      4,
    ),
  );

const parts: fc.Arbitrary<Parts> = fc.constantFrom('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY').chain((freq) => {
  const monthly = freq === 'MONTHLY' || freq === 'YEARLY';
  const yearly = freq === 'YEARLY';
  return fc
    .record({
      interval: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 13 })),
      byMonth: perhaps(3, some(fc.integer({ min: 1, max: 12 }), 4)),
      byMonthDay: freq === 'WEEKLY' ? fc.constant(undefined) : perhaps(3, some(nth(31), 5)),
      byYearDay: yearly ? perhaps(2, some(nth(366), 40)) : fc.constant(undefined),
      byWeekNo: yearly ? perhaps(2, some(nth(53), 20)) : fc.constant(undefined),
      byDay: perhaps(5, monthly ? nthDay(freq === 'MONTHLY' ? 5 : 52) : some(code, 5)),
      bySetPos: perhaps(3, some(nth(4), 3)),
      weekStart: fc.oneof(fc.constant('MO'), code),
    })
    .map((rule) => accepted({ freq, ...rule }));
});

/** Without what is refused. */
function accepted(rule: { [Key in keyof Parts]: Parts[Key] | undefined } & { freq: string; interval: number }): Parts {
  const { freq, interval, byMonth, byYearDay, byWeekNo, byMonthDay, byDay, bySetPos } = rule;
  const [only, weekStart] = [{ freq, interval }, rule.weekStart];
  const plain = byDay?.filter((day) => day.length === 2);
  if (byYearDay) return clean({ ...only, byYearDay, byDay: plain, weekStart });
  if (byWeekNo) return clean({ freq, interval: 1, byWeekNo, byDay: plain, weekStart });
  const ofYear = freq === 'YEARLY' && !byMonth && plain?.length !== byDay?.length;
  if (ofYear) return clean({ ...only, byDay: byDay?.filter((day) => day.length > 2), bySetPos, weekStart });
  const none = freq === 'DAILY' || !(byMonth || byMonthDay || byDay) || (freq === 'WEEKLY' && byMonth);
  return clean({ ...rule, bySetPos: none ? undefined : bySetPos });
}

const clean = (rule: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(rule).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  ) as unknown as Parts;

const textOf = (rule: Parts, end = ''): string =>
  [
    `FREQ=${rule.freq}`,
    `INTERVAL=${rule.interval}`,
    rule.bySetPos && `BYSETPOS=${rule.bySetPos}`,
    rule.byDay && `BYDAY=${rule.byDay}`,
    rule.byMonthDay && `BYMONTHDAY=${rule.byMonthDay}`,
    rule.byYearDay && `BYYEARDAY=${rule.byYearDay}`,
    rule.byWeekNo && `BYWEEKNO=${rule.byWeekNo}`,
    rule.byMonth && `BYMONTH=${rule.byMonth}`,
    `WKST=${rule.weekStart}`,
    end,
  ]
    .filter(Boolean)
    .join(';');

interface Day {
  iso: string;
  year: number;
  month: number;
  date: number;
  weekday: number;
  /** Days since 1 January 1970. */
  index: number;
  monthLength: number;
  yearDay: number;
  yearLength: number;
}

const known: (Day | undefined)[] = [];
function dayAt(index: number): Day {
  let day = known[index];
  if (day) return day;
  const date = new Date(index * 86_400_000);
  const year = date.getUTCFullYear();
  day = {
    iso: date.toISOString().slice(0, 10),
    year,
    month: date.getUTCMonth() + 1,
    date: date.getUTCDate(),
    weekday: (date.getUTCDay() + 6) % 7,
    index,
    monthLength: new Date(Date.UTC(year, date.getUTCMonth() + 1, 0)).getUTCDate(),
    yearDay: index - indexOf(year, 1, 1) + 1,
    yearLength: indexOf(year + 1, 1, 1) - indexOf(year, 1, 1),
  };
  known[index] = day;
  return day;
}
const indexOf = (year: number, month: number, date: number) => Date.UTC(year, month - 1, date) / 86_400_000;
const isoIndex = (iso: string) => Date.parse(iso) / 86_400_000;

/** What the standard takes from the start for a rule that does not name its days. */
function filled(rule: Parts, start: Day): Parts {
  const full = { ...rule };
  const weekday = CODES[start.weekday] as string;
  if (rule.byDay || rule.byMonthDay || rule.byYearDay) return full;
  if (rule.freq === 'WEEKLY' || rule.byWeekNo) full.byDay = [weekday];
  else if (rule.freq === 'MONTHLY') full.byMonthDay = [start.date];
  else if (rule.freq === 'YEARLY') {
    full.byMonthDay = [start.date];
    full.byMonth = rule.byMonth ?? [start.month];
  }
  return full;
}

/** Whether the `at`th of `length` things is among those asked for, counted from either end. */
const among = (asked: number[] | undefined, at: number, length: number) =>
  asked === undefined || asked.includes(at) || asked.includes(at - length - 1);

function fits(rule: Parts, day: Day): boolean {
  const { month, date, monthLength, yearDay, yearLength } = day;
  if (rule.byMonth && !rule.byMonth.includes(month)) return false;
  if (!among(rule.byMonthDay, date, monthLength)) return false;
  if (!among(rule.byYearDay, yearDay, yearLength)) return false;
  if (rule.byWeekNo && !inWeeks(rule.byWeekNo, CODES.indexOf(rule.weekStart), day)) return false;
  if (!rule.byDay) return true;
  const ofMonth = rule.freq === 'MONTHLY' || rule.byMonth !== undefined;
  const [at, length] = ofMonth ? [date, monthLength] : [yearDay, yearLength];
  return rule.byDay.some((asked) => {
    if (!asked.endsWith(CODES[day.weekday] as string)) return false;
    const nth = Number.parseInt(asked, 10);
    return Number.isNaN(nth) || nth === Math.ceil(at / 7) || nth === -Math.ceil((length - at + 1) / 7);
  });
}

/** A week is of the year that its fourth day is in. */
function inWeeks(asked: number[], weekStart: number, day: Day): boolean {
  const first = day.index - ((day.weekday - weekStart + 7) % 7);
  const { year } = dayAt(first + 3);
  const number = Math.floor((first + 3 - indexOf(year, 1, 1)) / 7) + 1;
  let weeks = 0;
  for (let at = first + 3; dayAt(at).year === year; at += 7) weeks = at;
  return among(asked, number, Math.floor((weeks - indexOf(year, 1, 1)) / 7) + 1);
}

function periodOf(rule: Parts, day: Day): number {
  if (rule.freq === 'DAILY') return day.index;
  if (rule.freq === 'YEARLY') return day.year;
  if (rule.freq === 'MONTHLY') return day.year * 12 + day.month;
  return Math.floor((day.index + 3 - CODES.indexOf(rule.weekStart)) / 7);
}

/** All days up to `end`, the start among them, by walking over each. */
function* walk(rule: Parts, start: Day, end: number): Generator<string> {
  const origin = periodOf(rule, start);
  let index = start.index;
  while (periodOf(rule, dayAt(index - 1)) === origin) index--;
  let period = origin;
  let found: Day[] = [];
  yield start.iso;
  for (; index <= end; index++) {
    const day = dayAt(index);
    if (periodOf(rule, day) !== period) {
      yield* chosen();
      period = periodOf(rule, day);
      found = [];
    }
    if ((period - origin) % rule.interval === 0 && fits(rule, day)) found.push(day);
  }
  function* chosen() {
    for (const [at, day] of found.entries())
      if (day.index > start.index && among(rule.bySetPos, at + 1, found.length)) yield day.iso;
  }
}

const zones = Intl.supportedValuesOf('timeZone');
const clocks = new Map<string, Intl.DateTimeFormat>();

/** What a clock in a zone shows at an instant, as if that were UTC. */
function shown(instant: number, timeZone: string): number {
  let clock = clocks.get(timeZone);
  if (!clock) {
    const two = '2-digit';
    clock = new Intl.DateTimeFormat('en-u-hc-h23', {
      timeZone,
      year: 'numeric',
      month: two,
      day: two,
      hour: two,
      minute: two,
      second: two,
    });
    clocks.set(timeZone, clock);
  }
  const of = Object.fromEntries(clock.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = of;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The first instant at which the clocks show it; if they skip it, the one they would have without the change. */
function instantOf(local: string, zone: string): string {
  const wanted = Date.parse(`${local}Z`);
  const offset = (instant: number) => shown(instant, zone) - instant;
  const [before, after] = [offset(wanted - 36 * 3_600_000), offset(wanted + 36 * 3_600_000)];
  const tries = [wanted - before, wanted - after].filter((instant) => shown(instant, zone) === wanted);
  return new Date(tries.length > 0 ? Math.min(...tries) : wanted - before).toISOString();
}

const day = fc.integer({ min: isoIndex('1990-01-01'), max: isoIndex('2060-12-31') }).map(dayAt);
const time = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom('00:00', '00:30', '01:30', '02:00', '02:30', '03:00', '09:00', '17:45', '23:30'),
);
const EIGHT_YEARS = 8 * 366;

describe('a random rule in a random zone', () => {
  test('gives the days that a walk over the calendar finds, at the times that the clocks show', {
    timeout: 120_000,
  }, () => {
    let [compared, moments] = [0, 0];
    fc.assert(
      fc.property(
        parts,
        day,
        time,
        fc.constantFrom(...zones),
        fc.oneof(fc.constant('none'), fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 1500 }).map(String)),
        fc.integer({ min: -40, max: 900 }),
        (rule, start, at, zone, ending, later) => {
          const limit = start.index + EIGHT_YEARS;
          const until =
            typeof ending === 'string' && ending !== 'none' ? dayAt(start.index + Number(ending)).iso : undefined;
          const end = until
            ? `UNTIL=${until.replaceAll('-', '')}`
            : typeof ending === 'number'
              ? `COUNT=${ending}`
              : '';
          const local = (iso: string) => (at ? instantOf(`${iso}T${at}:00`, zone) : iso);
          const present = dayAt(start.index + later);
          const now = new Date(instantOf(`${present.iso}T12:34:00`, zone));

          const all: string[] = [];
          const wanted = (iso: string) =>
            (iso >= present.iso && local(iso) > now.toISOString()) || (!at && iso >= present.iso);
          let [count, nextAt] = [0, -1];
          for (const iso of walk(filled(rule, start), start, limit)) {
            if ((until && iso > until) || (typeof ending === 'number' && count++ >= ending)) break;
            if (all.length > 0 && nextAt < 0 && wanted(iso)) nextAt = all.length;
            all.push(iso);
            if (all.length >= 6 && nextAt >= 0) break;
          }

          let parsed: ReturnType<typeof parseRepeat>;
          try {
            parsed = parseRepeat(textOf(rule, end) + (at ? ` at ${at}` : ''), start.iso, { now, timezone: zone });
          } catch (error) {
            expect(error).toBeInstanceOf(Refusal);
            // Refused as never occurring: then there is at most the start, and it is not on the rule.
            expect(all).toEqual([start.iso]);
            expect(fits(filled(rule, start), start) && !rule.bySetPos && !until && typeof ending !== 'number').toBe(
              false,
            );
            return;
          }
          expect(parsed.due).toBe(local(start.iso));
          const sooner = (when: string) => isoIndex(when.slice(0, 10)) < limit - 400;
          const then = new Date(instantOf(`${start.iso}T00:00:00`, zone));
          expect(upcoming(parsed.repeat, parsed.due, { now: then, timezone: zone }, 5).filter(sooner)).toEqual(
            all.slice(1, 6).map(local).filter(sooner),
          );
          const next = nextOccurrence(parsed.repeat, parsed.due, { now, timezone: zone });
          const expected = nextAt < 0 ? undefined : local(all[nextAt] as string);
          if (expected !== undefined || (next && sooner(next.due))) expect(next?.due).toBe(expected);
          compared += all.length - 1;
          if (at) moments++;
        },
      ),
      { seed: SEED, numRuns: RUNS },
    );
    expect(compared).toBeGreaterThan(RUNS);
    expect(moments).toBeGreaterThan(RUNS / 4);
  });

  test('is said in words, or as a rule, that read back as the same', () => {
    fc.assert(
      fc.property(
        parts,
        day,
        time,
        fc.boolean(),
        fc.constantFrom('', 'COUNT=7', 'UNTIL=20991231'),
        (rule, start, at, done, end) => {
          const context = { now: new Date('1990-01-01T00:00:00Z'), timezone: 'Etc/UTC' };
          const due = at ? `${start.iso}T${at}:00.000Z` : start.iso;
          let first: ReturnType<typeof parseRepeat>;
          try {
            first = parseRepeat(`${textOf(rule, end)}${done ? ' after completion' : ''}`, due, context);
          } catch (error) {
            expect(error).toBeInstanceOf(Refusal);
            return;
          }
          expect(parseRepeat(sayRepeat(first.repeat), due, context)).toEqual(first);
        },
      ),
      { seed: SEED, numRuns: 1000 },
    );
  });

  test('is followed also over a century in which it hardly ever comes', { timeout: 120_000 }, () => {
    const rare = fc.record({
      freq: fc.constantFrom('DAILY', 'MONTHLY', 'YEARLY'),
      interval: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 13 }), fc.constantFrom(28, 50, 97, 400, 994, 1000)),
      byMonth: fc.constantFrom([2], [2, 4]),
      byMonthDay: some(fc.constantFrom(28, 29, 30, -29, -31), 2),
      byDay: perhaps(8, some(code, 2)),
      weekStart: fc.constant('MO'),
    });
    const weeks = fc.record({
      freq: fc.constantFrom('WEEKLY'),
      interval: fc.constantFrom(13, 26, 52, 53, 104, 997, 1000),
      byMonth: some(fc.integer({ min: 1, max: 12 }), 2),
      byDay: some(code, 2),
      weekStart: code,
    });
    let found = 0;
    fc.assert(
      fc.property(
        fc.oneof({ weight: 3, arbitrary: rare }, weeks),
        fc.constantFrom('1999-12-31', '2024-02-29', '2081-01-01'),
        (some, at) => {
          const [rule, start] = [clean({ ...some }), dayAt(isoIndex(at))];
          const context = { now: new Date(`${at}T12:00:00Z`), timezone: 'Etc/UTC' };
          const limit = start.index + 100 * 365;
          const expected: string[] = [];
          for (const iso of walk(rule, start, limit)) if (iso > at && expected.push(iso) === 2) break;
          found += expected.length;
          let theirs: string[] = [];
          try {
            const { repeat, due } = parseRepeat(textOf(rule), at, context);
            theirs = upcoming(repeat, due, context, 2);
          } catch (error) {
            expect(error).toBeInstanceOf(Refusal);
          }
          expect(theirs.filter((iso) => isoIndex(iso) <= limit)).toEqual(expected);
        },
      ),
      { seed: SEED, numRuns: 100 },
    );
    expect(found).toBeGreaterThan(50);
  });
});
