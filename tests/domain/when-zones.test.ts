import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { expect, test } from 'vitest';
import { dateReaders } from '../../src/domain/dates/chrono.js';
import { dueSort, formatWhen, sayToday, startOfDay } from '../../src/domain/dates/clock.js';
import { parseWhen } from '../../src/domain/dates/when.js';
import { Refusal } from '../../src/errors.js';

/**
 * Every IANA zone this machine knows, when its clocks first change after 2000 and at one more such moment until 2040,
 * drawn anew each time. A failure names the zone and the moment, to be added to `KNOWN`.
 */
const zones = Intl.supportedValuesOf('timeZone');
const DRAWN = 1;
const FROM = Temporal.Instant.from('2000-01-01T00:00Z');
const years = fc.integer({ min: 0, max: 40 * 366 * 24 }).map((hours) => FROM.add({ hours }));

/** A whole day skipped, half an hour, two and three hours, midnight skipped, a day begun twice. */
const KNOWN: [string, string][] = [
  ['Pacific/Apia', '2011-12-30T10:00Z'],
  ['Australia/Lord_Howe', '2027-04-03T15:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
  ['Antarctica/Troll', '2027-03-28T01:00Z'],
  ['Antarctica/Casey', '2018-03-10T17:00Z'],
  ['America/Sao_Paulo', '2018-11-04T03:00Z'],
  ['America/St_Johns', '2010-11-07T02:31Z'],
  ['America/Havana', '2026-11-01T05:00Z'],
  ['Africa/Cairo', '2026-10-29T21:00Z'],
  ['Africa/Casablanca', '2027-02-07T02:00Z'],
  ['Asia/Beirut', '2027-03-27T22:00Z'],
  ['Asia/Pyongyang', '2018-05-04T15:00Z'],
];

interface Change {
  zone: string;
  at: Temporal.Instant;
  /** What clocks show when they change, before and after. */
  before: Temporal.PlainDateTime;
  after: Temporal.PlainDateTime;
}

function changeAt(at: Temporal.ZonedDateTime): Change {
  const instant = at.toInstant();
  const offset = instant.subtract({ nanoseconds: 1 }).toZonedDateTimeISO(at.timeZoneId).offsetNanoseconds;
  const before = instant.toZonedDateTimeISO('UTC').toPlainDateTime().add({ nanoseconds: offset });
  return { zone: at.timeZoneId, at: instant, before, after: at.toPlainDateTime() };
}

const changes: Change[] = [
  ...KNOWN.map(([zone, at]) => changeAt(Temporal.Instant.from(at).toZonedDateTimeISO(zone))),
  ...zones.flatMap((zone) =>
    [FROM, ...fc.sample(years, DRAWN)].flatMap((instant) => {
      const next = instant.toZonedDateTimeISO(zone).getTimeZoneTransition('next');
      return next && next.year <= 2040 ? [changeAt(next)] : [];
    }),
  ),
];

await dateReaders.load();

const now = new Date('2026-11-22T13:00:00Z');
const parse = (text: string, zone: string) => parseWhen(text, { now, timezone: zone }, 'due');
const iso = (instant: Temporal.Instant) => instant.toString({ fractionalSecondDigits: 3 });
const shown = (instant: Date, timeZone: string) =>
  new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(instant);

/** A time as ISO 8601, and in words. */
const written = (local: Temporal.PlainDateTime) => [
  local.toString({ smallestUnit: 'minute' }),
  `${sayToday({ now: new Date(`${local.toPlainDate()}T12:00Z`), timezone: 'UTC' })} ${local.toPlainTime().toString({ smallestUnit: 'minute' })}`,
];

/** The two moments that a refusal offers for a time that clocks skip, or show twice. */
function offered(text: string, zone: string, says: string): string[] {
  try {
    parse(text, zone);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.body.message).toContain(`${says} in ${zone}`);
    return /^Use (\S+) or (\S+)\.$/.exec(error.body.hint ?? '')?.slice(1) ?? [];
  }
  throw new Error(`${text} ${says} in ${zone}, and was taken`);
}

test('most zones change their clocks, forwards and backwards', () => {
  expect(new Set(changes.map(({ zone }) => zone)).size).toBeGreaterThan(zones.length / 2);
  for (const way of [1, -1])
    expect(
      changes.filter((each) => Temporal.PlainDateTime.compare(each.after, each.before) === way).length,
    ).toBeGreaterThan(99);
});

test('a time that is skipped or shown twice is refused with two moments, and its neighbours are not', () => {
  for (const { zone, at, before, after } of changes) {
    const shift = before.until(after).total('minutes');
    if (shift === 0) continue;
    const first = shift > 0 ? before : after;
    const last = first.add({ minutes: Math.abs(shift) - 1 });
    for (const local of [first, first.add({ minutes: Math.floor(Math.abs(shift) / 2) }), last])
      for (const text of written(local)) {
        const moments = offered(text, zone, shift > 0 ? 'does not exist' : 'occurs twice').map((each) => {
          expect(formatWhen(parse(each, zone), zone)).toBe(each);
          return parse(each, zone);
        });
        const apart = Temporal.Instant.from(moments[0] ?? '')
          .until(moments[1] ?? '')
          .total('minutes');
        expect(apart, `${zone} at ${at}`).toBe(Math.abs(shift));
      }
    const outside =
      shift > 0 ? [at.subtract({ minutes: 1 }), at] : [at.add({ minutes: shift - 1 }), at.add({ minutes: -shift })];
    for (const instant of outside)
      for (const text of written(instant.toZonedDateTimeISO(zone).toPlainDateTime()))
        expect(parse(text, zone), `${text} in ${zone}`).toBe(iso(instant));
  }
});

test('days follow each other without a gap and without an overlap', () => {
  for (const { zone, at, before, after } of changes) {
    const days = [before.subtract({ days: 1 }), before, after, after.add({ days: 1 })].map((each) =>
      each.toPlainDate(),
    );
    for (const day of days) {
      const next = startOfDay(day.add({ days: 1 }), zone);
      expect(Date.parse(dueSort(`${day}`, zone)) + 1, `${day} in ${zone}, near ${at}`).toBe(next.getTime());
      expect(next.getTime()).toBeGreaterThanOrEqual(startOfDay(day, zone).getTime());
      expect(shown(startOfDay(day, zone), zone) >= `${day}`, `${day} in ${zone}, near ${at}`).toBe(true);
      expect(shown(new Date(startOfDay(day, zone).getTime() - 1), zone) < `${day}`).toBe(true);
      expect(formatWhen(parse(`${day}`, zone), zone)).toBe(`${day}`);
    }
  }
});

test('a moment is shown so that reading it gives the same moment', () => {
  for (const { zone, at } of changes)
    for (const minutes of [-61, -1, 0, 1, 61]) {
      const when = iso(at.add({ minutes }));
      expect(parse(formatWhen(when, zone), 'UTC'), `${when} in ${zone}`).toBe(when);
    }
});
