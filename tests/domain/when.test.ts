import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dateReaders } from '../../src/domain/dates/chrono.js';
import { dueSort, formatWhen, sayWhen, startOfDay, today } from '../../src/domain/dates/clock.js';
import { parseWhen, parseWindow } from '../../src/domain/dates/when.js';

await dateReaders.load();

const now = new Date('2026-11-22T13:00:00Z');
const zones = Intl.supportedValuesOf('timeZone');
const day = fc
  .date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));

/** The day that a wall clock in a zone shows, by another implementation. */
const clockDay = (instant: Date, timeZone: string) =>
  new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(instant);

describe('a day', () => {
  test('ends in every zone with the last millisecond that its clocks show', () => {
    fc.assert(
      fc.property(day, fc.constantFrom(...zones), (date, zone) => {
        const last = new Date(dueSort(date, zone));
        expect(clockDay(last, zone)).toBe(date);
        expect(clockDay(new Date(last.getTime() + 1), zone) > date).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('stays the day it is, whatever the zone', () => {
    fc.assert(
      fc.property(day, fc.constantFrom(...zones), (date, zone) => {
        expect(formatWhen(parseWhen(date, { now, timezone: zone }, 'due'), zone)).toBe(date);
      }),
    );
  });
});

describe('a moment', () => {
  test('is shown so that reading it again gives the same moment', () => {
    // Until 1972 a few zones were off by seconds too, which ISO 8601 cannot write.
    const instant = fc.date({ min: new Date('1973-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(instant, fc.constantFrom(...zones), (date, zone) => {
        const when = parseWhen(`${date.toISOString().slice(0, 19)}Z`, { now, timezone: zone }, 'due');
        expect(parseWhen(formatWhen(when, zone), { now, timezone: 'UTC' }, 'due')).toBe(when);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a window', () => {
  test('of today is the user’s day, on days of 23 and 25 hours too', () => {
    const zone = 'Europe/Paris';
    for (const [now, hours] of [
      ['2026-03-29T10:00:00Z', 23],
      ['2026-10-25T10:00:00Z', 25],
      ['2026-11-22T10:00:00Z', 24],
    ] as const) {
      const window = parseWindow('today', { now: new Date(now), timezone: zone });
      if (window === 'none' || !window.from) throw new Error('a window of a day has two ends');
      expect((window.until.getTime() - window.from.getTime()) / 3_600_000).toBe(hours);
      expect(startOfDay(today({ now: new Date(now), timezone: zone }), zone)).toEqual(window.from);
    }
  });
});

describe('words for people', () => {
  test.each([
    ['2026-11-22', 'Sun 22 Nov'],
    ['2026-11-28', 'Sat 28 Nov'],
    ['2026-11-29', '29 Nov'],
    ['2026-11-16', 'Mon 16 Nov'],
    ['2027-01-02', '2 Jan 2027'],
    ['2026-11-24T16:00:00.000Z', 'Tue 24 Nov 17:00'],
  ])('%s is said as %s', (when, words) => {
    expect(sayWhen(when, { now, timezone: 'Europe/Paris' })).toBe(words);
  });
});
