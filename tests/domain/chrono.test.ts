import { casual, strict } from 'chrono-node/en';
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test, vi } from 'vitest';
import { formatWhen, sayToday } from '../../src/domain/dates/clock.js';
import { MONTHS, WEEKDAYS } from '../../src/domain/dates/date-words.js';
import { parseWhen } from '../../src/domain/dates/when.js';
import { withLazyModules } from '../../src/domain/lazy-module.js';
import { Refusal } from '../../src/errors.js';

const read = (text: string, now = '2026-11-22T13:00:00Z', timezone = 'UTC') =>
  formatWhen(parseWhen(text, { now: new Date(now), timezone }, 'due'), timezone);

await withLazyModules(async () => read('24 nov'));

test('the library is loaded when words are first read, and ISO 8601 needs none', async () => {
  vi.resetModules();
  const { parseWhen } = await import('../../src/domain/dates/when.js');
  const { withLazyModules } = await import('../../src/domain/lazy-module.js');
  const read = (text: string) =>
    formatWhen(parseWhen(text, { now: new Date('2026-11-22T13:00:00Z'), timezone: 'UTC' }, 'due'), 'UTC');
  expect(() => read('24 nov')).toThrow('outside withLazyModules()');
  expect(read('2026-11-24')).toBe('2026-11-24');
  expect(await withLazyModules(async () => read('24 nov'))).toBe('2026-11-24');
});

describe('what the library takes and people may not mean is no date', () => {
  const of = (reader: typeof casual, texts: string[]) => texts.map((text) => [text, reader] as const);
  test.each([
    ...of(strict, ['24 nov 26', '24/nov/26', '24 nov 17', '3/4/26', 'nov 24 26']), // years of two digits
    ...of(strict, ['24-26 nov', '24 nov 2026 - 26 nov 2026']), // ranges
    ...of(strict, ['24 nov, see you then', 'on 24 nov buy milk', 'mon 23 nov tue 24 nov']), // a part, or more than one
    ...of(strict, ['24 nov +02:00', '24 nov 2026 gmt+1', 'sun mon 23 nov', 'nov-26']),
    ...of(casual, ['friday 13', 'tomorrow 0am', 'tomorrow 5pm est', 'now']),
    ...of(casual, ['in a few days', 'in several weeks', 'in about 3 days', 'in the week', '3 days out']),
    ...of(casual, ['in half a week', 'in 1.5 days', 'in 1.5 weeks', 'in half a month', 'in half a day']),
    ...of(casual, ['in 2m', 'in 2 mon', 'in 30 seconds', 'in a day a day', 'in 2 mon 3 days', 'in 0 minutes']),
  ])('%s', (text, reader) => {
    expect(reader.parse(text, new Date(2026, 10, 22, 13))).not.toEqual([]);
    try {
      expect(read(text)).toBe('refused');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      expect(error.body.message).toContain('is not a date');
    }
  });
});

const day = fc
  .date({ min: new Date('2001-01-01'), max: new Date('2089-12-31'), noInvalidDate: true })
  .map((date) => Temporal.PlainDate.from(date.toISOString().slice(0, 10)));

test('dates are read in any form, and those without a year are the next such', () => {
  const forms = (date: Temporal.PlainDate): string[] => {
    const { year, month, day } = date;
    const weekday = WEEKDAYS[date.dayOfWeek - 1];
    return [MONTHS[month - 1] ?? '', MONTHS[month - 1]?.slice(0, 3) ?? ''].flatMap((name) => [
      ...[`${day} ${name} ${year}`, `${name} ${day}, ${year}`, `${day}-${name}-${year}`, `${day}th of ${name} ${year}`],
      ...[
        `${weekday}, ${day} ${name} ${year}`,
        `${weekday?.slice(0, 3)} ${name} ${day} ${year}`,
        `${year} ${name} ${day}`,
      ],
      ...[
        `${year}/${month}/${day}`,
        `${year}.${month}.${day}`,
        sayToday({ now: new Date(`${date}`), timezone: 'UTC' }),
        `${day} ${name}`,
        `${name} the ${day}th`,
      ],
    ]);
  };
  fc.assert(
    fc.property(day, day, fc.nat(), (date, today, which) => {
      const text = forms(date)[which % forms(date).length] ?? '';
      const found = Temporal.PlainDate.from(read(text, `${today}T12:00Z`));
      if (text.includes(String(date.year))) {
        expect(`${found}`, text).toBe(`${date}`);
        return;
      }
      expect(`${found}`.slice(5), text).toBe(`${date}`.slice(5));
      expect(found.since(today).days, `${text} on ${today}`).toBeGreaterThanOrEqual(0);
      if (`${date}`.slice(5) !== '02-29') expect(found.since(today).days).toBeLessThanOrEqual(366);
    }),
    { numRuns: 500 },
  );
});

test('amounts of days, weeks, months and years are added as a calendar does, however long the months', () => {
  const units = ['days', 'weeks', 'months', 'years'] as const;
  fc.assert(
    fc.property(
      fc.nat(400),
      fc.nat(60),
      fc.constantFrom(...units),
      fc.constantFrom(...units),
      day,
      (a, b, one, two, from) => {
        const now = `${from}T12:00Z`;
        expect(read(`in ${a} ${one}`, now)).toBe(`${from.add({ [one]: a })}`);
        if (one !== two)
          expect(read(`in ${a} ${one} and ${b} ${two}`, now)).toBe(`${from.add({ [one]: a, [two]: b })}`);
      },
    ),
    { numRuns: 300 },
  );
  expect(read('in a month', '2027-01-31T12:00Z')).toBe('2027-02-28');
  expect(read('in a quarter', '2026-11-30T12:00Z')).toBe('2027-02-28');
});

test('nothing depends on the zone of the machine, nor on when its clocks change', () => {
  const machine = process.env.TZ;
  const hour = fc.date({ min: new Date('2025-01-01'), max: new Date('2030-01-01'), noInvalidDate: true });
  const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
  try {
    fc.assert(
      fc.property(zones, hour, fc.integer({ min: 1, max: 20_000 }), (zone, now, many) => {
        process.env.TZ = zone;
        const at = new Date(Math.floor(now.getTime() / 60_000) * 60_000);
        const after = (minutes: number) =>
          `${new Date(at.getTime() + minutes * 60_000).toISOString().slice(0, 16)}+00:00`;
        expect(read(`in ${many} hours`, at.toISOString()), `${many} hours in ${zone}`).toBe(after(many * 60));
        expect(read(`in ${many} minutes`, at.toISOString())).toBe(after(many));
        expect(read('29 feb 2028', at.toISOString())).toBe('2028-02-29');
        expect(read('in 1 day', at.toISOString())).toBe(after(1440).slice(0, 10));
      }),
      { numRuns: 300 },
    );
  } finally {
    if (machine === undefined) delete process.env.TZ;
    else process.env.TZ = machine;
  }
});
