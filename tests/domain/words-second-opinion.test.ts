import { casual } from 'chrono-node/en';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MONTHS, WEEKDAYS } from '../../src/domain/calendar.js';
import { formatWhen, parseWhen } from '../../src/domain/when.js';

/**
 * Another reader of English dates, asked about the forms that mean one thing only. It reckons with the machine's clock,
 * so it is told noon, and asked what day and time it read, not which instant.
 */
function theirs(text: string, day: string): string | undefined {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  const [result, ...more] = casual.parse(text, new Date(year, month - 1, date, 12), { forwardDate: true });
  if (!result || more.length > 0 || result.text !== text || result.end) return undefined;
  const two = (part: 'month' | 'day' | 'hour' | 'minute') => String(result.start.get(part)).padStart(2, '0');
  const read = `${result.start.get('year')}-${two('month')}-${two('day')}`;
  return result.start.isCertain('hour') ? `${read}T${two('hour')}:${two('minute')}` : read;
}

const ours = (text: string, day: string) =>
  formatWhen(parseWhen(text, { now: new Date(`${day}T00:00Z`), timezone: 'UTC' }, 'due'), 'UTC').slice(0, 16);

const day = fc
  .date({ min: new Date('2001-01-01'), max: new Date('2089-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));

const written = day.chain((iso) => {
  const [year, month = 1, date = 1] = iso.split('-').map(Number);
  const names = [MONTHS[month - 1], MONTHS[month - 1]?.slice(0, 3)];
  const weekday = WEEKDAYS[(new Date(`${iso}T12:00Z`).getUTCDay() + 6) % 7];
  const texts = fc.constantFrom(
    ...names.flatMap((name) => [
      `${date} ${name} ${year}`,
      `${name} ${date}, ${year}`,
      `${date}-${name}-${year}`,
      `${date}th of ${name} ${year}`,
      `${weekday}, ${date} ${name} ${year}`,
      `${weekday?.slice(0, 3)} ${name} ${date} ${year}`,
      `${year}/${month}/${date}`,
      `${date} ${name}`,
      `${name} ${date}th`,
    ]),
  );
  return texts.map((text) => ({ text, iso }));
});

const clock = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 })).chain(([hour, minute]) => {
  const half = hour < 12 ? 'am' : 'pm';
  const mm = String(minute).padStart(2, '0');
  return fc.constantFrom(
    '',
    ` ${hour % 12 || 12}${half}`,
    ` at ${hour % 12 || 12} ${half}`,
    ` ${hour % 12 || 12}:${mm} ${half.toUpperCase()}`,
    ` ${String(hour).padStart(2, '0')}:${mm}`,
    ` at ${hour}:${mm}`,
  );
});

test('dates as people write them are read as another reader does', () => {
  let compared = 0;
  fc.assert(
    fc.property(written, clock, day, (date, time, today) => {
      fc.pre(date.iso.slice(5) !== today.slice(5)); // whether it is past depends on the hour
      const text = date.text + time;
      const other = theirs(text, today);
      if (!other) return;
      compared++;
      expect(ours(text, today), `${text} on ${today}`).toBe(other);
    }),
    { numRuns: 1000 },
  );
  expect(compared).toBeGreaterThan(700);
});

test('distances are reckoned as another reader does', () => {
  const amount = fc.integer({ min: 1, max: 400 });
  const unit = fc.constantFrom('day', 'week', 'month', 'year');
  fc.assert(
    fc.property(amount, unit, fc.constantFrom('in', 'within'), day, (many, what, way, today) => {
      const text = `${way} ${many} ${what}${many === 1 ? '' : 's'}`;
      fc.pre(Number(today.slice(8)) <= 28); // a month from 31 January is 3 March to some, and 28 February to us
      const other = theirs(text, today);
      expect(other?.slice(0, 10), `${text} on ${today}`).toBe(ours(text, today));
    }),
    { numRuns: 500 },
  );
});

test('a weekday alone is the next one that another reader finds, if it is not today', () => {
  fc.assert(
    fc.property(fc.constantFrom(...WEEKDAYS), day, (name, today) => {
      fc.pre(WEEKDAYS[(new Date(`${today}T12:00Z`).getUTCDay() + 6) % 7] !== name);
      expect(ours(name, today)).toBe(theirs(name, today));
    }),
    { numRuns: 300 },
  );
});
