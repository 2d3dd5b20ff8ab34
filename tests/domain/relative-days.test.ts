import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dateReaders } from '../../src/domain/dates/chrono.js';
import { formatWhen, isDay, sayToday, sayWhen } from '../../src/domain/dates/clock.js';
import { parseWhen, parseWindow, sinceInstant } from '../../src/domain/dates/when.js';
import { Refusal } from '../../src/errors.js';

await dateReaders.load();

const zone = 'Europe/Paris';
const sunday = { now: new Date('2026-11-22T13:00:00Z'), timezone: zone };
const wednesday = { now: new Date('2026-11-18T13:00:00Z'), timezone: zone };

/** What a refusal says and what it proposes; anything else thrown fails the test. */
function refusal(read: () => unknown): { message: string; hint: string } {
  try {
    read();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.body.code).toBe('invalid');
    return { message: error.body.message, hint: error.body.hint ?? '' };
  }
  throw new Error('this was to be refused');
}

/** As an answer would show it. */
const meant = (text: string, here = sunday) => formatWhen(parseWhen(text, here, 'due'), here.timezone);

describe('on Sunday 22 November 2026 at 14:00', () => {
  test.each([
    ['today', '2026-11-22'],
    ['tonight', '2026-11-22'],
    ['eod', '2026-11-22'],
    ['tomorrow', '2026-11-23'],
    ['the day after tomorrow', '2026-11-24'],
    ['by EOD', '2026-11-22'],
    ['by end of day tomorrow', '2026-11-23'],
    ['by eod friday', '2026-11-27'],
    ['end of day tomorrow', '2026-11-23'],
    ['cob friday', '2026-11-27'],
    ['friday by close of business', '2026-11-27'],
    ['tmr', '2026-11-23'],
    ['this coming friday', '2026-11-27'],
    ['friday of next week', '2026-11-27'],
    ['next week on friday', '2026-11-27'],
    ['next business day', '2026-11-23'],
    ['the next working day', '2026-11-23'],
    ['in 6 business days', '2026-11-30'],
    ['first weekday of february', '2027-02-01'],
    ['two working days from now', '2026-11-24'],
    ['1 business day after friday', '2026-11-30'],
    ['last business day before 25 dec', '2026-12-24'],
    ['the previous working day before 27 dec', '2026-12-25'],
    ['last business day before the end of the month', '2026-11-27'],
    ['2 business days before 25 dec', '2026-12-23'],
    ['next business day after 25 dec', '2026-12-28'],
    ['first monday of december', '2026-12-07'],
    ['the last friday of the month', '2026-11-27'],
    ['3rd thursday in january 2028', '2028-01-20'],
    ['first monday of next month', '2026-12-07'],
    ['last business day of the month', '2026-11-30'],
    ['2nd working day of next month', '2026-12-02'],
    ['end of q1', '2027-03-31'],
    ['by the end of Q4', '2026-12-31'],
    ['start of q2 2028', '2028-04-01'],
    ['friday', '2026-11-27'],
    ['on Friday', '2026-11-27'],
    ['by fri', '2026-11-27'],
    ['no later than fri', '2026-11-27'],
    ['Friday at the latest', '2026-11-27'],
    ['sunday', '2026-11-29'],
    ['this friday', '2026-11-27'],
    ['next friday', '2026-11-27'],
    ['friday next week', '2026-11-27'],
    ['this weekend', '2026-11-22'],
    ['next weekend', '2026-11-28'],
    ['next week', '2026-11-23'],
    ['next month', '2026-12-01'],
    ['next quarter', '2027-01-01'],
    ['next year', '2027-01-01'],
    ['end of week', '2026-11-22'],
    ['end of next week', '2026-11-29'],
    ['end of month', '2026-11-30'],
    ['eom', '2026-11-30'],
    ['end of the quarter', '2026-12-31'],
    ['last day of the month', '2026-11-30'],
    ['first day of next month', '2026-12-01'],
    ['end of february', '2027-02-28'],
    ['start of next month', '2026-12-01'],
    ['in 3 days', '2026-11-25'],
    ['3d', '2026-11-25'],
    ['+1w', '2026-11-29'],
    ['within a week', '2026-11-29'],
    ['in a fortnight', '2026-12-06'],
    ['in a couple of weeks', '2026-12-06'],
    ['two weeks from now', '2026-12-06'],
    ['a week from tuesday', '2026-12-01'],
    ['2 days before 24 dec', '2026-12-22'],
    ['in a month', '2026-12-22'],
    ['in 1 week and 2 days', '2026-12-01'],
    ['24 Nov', '2026-11-24'],
    ['22 nov', '2026-11-22'],
    ['21 nov', '2027-11-21'],
    ['November 24th', '2026-11-24'],
    ['the 24th of November', '2026-11-24'],
    ['Tue, 24 Nov. 2026', '2026-11-24'],
    ['24-nov-2026', '2026-11-24'],
    ['24 Nov 2020', '2020-11-24'],
    ['Mon 16 Nov', '2026-11-16'],
    ['29 feb', '2028-02-29'],
    ['the 15th', '2026-12-15'],
    ['the 31st', '2026-12-31'],
    ['sunday the 29th', '2026-11-29'],
    ['the 15th of next month', '2026-12-15'],
    ['2026/11/24', '2026-11-24'],
    ['2026-1-5', '2026-01-05'],
    ['20261124', '2026-11-24'],
    ['24.11.2026', '2026-11-24'],
    ['24.11.', '2026-11-24'],
    ['11/24/2026', '2026-11-24'],
    ['5/5', '2027-05-05'],
    ['Fri 03/04/2026', '2026-04-03'],
  ])('%s is the day %s', (text, expected) => {
    expect(meant(text)).toBe(expected);
  });

  test.each([
    ['tomorrow 9am', '2026-11-23T09:00+01:00'],
    ['9am tomorrow', '2026-11-23T09:00+01:00'],
    ['tomorrow at 17', '2026-11-23T17:00+01:00'],
    ['friday at 5:30 p.m.', '2026-11-27T17:30+01:00'],
    ['fri 5.30pm', '2026-11-27T17:30+01:00'],
    ['Nov 24 2027 5pm', '2027-11-24T17:00+01:00'],
    ['Tue 24 Nov 17:00', '2026-11-24T17:00+01:00'],
    ['5pm', '2026-11-22T17:00+01:00'],
    ['9am', '2026-11-23T09:00+01:00'],
    ['noon', '2026-11-23T12:00+01:00'],
    ['midnight', '2026-11-23T00:00+01:00'],
    ['today at 3', '2026-11-22T15:00+01:00'],
    ['tonight at 9:30', '2026-11-22T21:30+01:00'],
    ['tonight at midnight', '2026-11-23T00:00+01:00'],
    ['24:00', '2026-11-23T00:00+01:00'],
    ['friday 24:00', '2026-11-28T00:00+01:00'],
    ['2026-11-30T24:00', '2026-12-01T00:00+01:00'],
    ['2026-11-30T24:00:00Z', '2026-12-01T01:00+01:00'],
    ['monday morning', '2026-11-23T09:00+01:00'],
    ['tomorrow afternoon', '2026-11-23T15:00+01:00'],
    ['this evening', '2026-11-22T19:00+01:00'],
    ['tomorrow evening at 8', '2026-11-23T20:00+01:00'],
    ['tomorrow at 8 in the evening', '2026-11-23T20:00+01:00'],
    ['8:30 in the evening on friday', '2026-11-27T20:30+01:00'],
    ['in the morning', '2026-11-23T09:00+01:00'],
    ['first thing tomorrow', '2026-11-23T09:00+01:00'],
    ['tomorrow first thing', '2026-11-23T09:00+01:00'],
    ['first thing monday morning', '2026-11-23T09:00+01:00'],
    ['friday noon', '2026-11-27T12:00+01:00'],
    ['Fri 17:30', '2026-11-27T17:30+01:00'],
    ['fri @ 5pm', '2026-11-27T17:00+01:00'],
    ['last business day of the month at noon', '2026-11-30T12:00+01:00'],
    ['end of month at noon', '2026-11-30T12:00+01:00'],
    ['in 3 days at 9am', '2026-11-25T09:00+01:00'],
    ['in 2 hours', '2026-11-22T16:00+01:00'],
    ['in half an hour', '2026-11-22T14:30+01:00'],
    ['1.5h', '2026-11-22T15:30+01:00'],
    ['1h 30m', '2026-11-22T15:30+01:00'],
    ['in 1h30m', '2026-11-22T15:30+01:00'],
    ['an hour and 30 minutes from now', '2026-11-22T15:30+01:00'],
    ['tomorrow 9am UTC', '2026-11-23T10:00+01:00'],
    ['Tue, 24 Nov 2026 17:00:00 GMT', '2026-11-24T18:00+01:00'],
    ['Tue Nov 24 2026 17:00:00 GMT-0500', '2026-11-24T23:00+01:00'],
    ['2026-11-24 5pm', '2026-11-24T17:00+01:00'],
    ['2026-11-24T17:00 utc', '2026-11-24T18:00+01:00'],
  ])('%s is the moment %s', (text, expected) => {
    expect(meant(text)).toBe(expected);
  });

  test.each([
    ['03/04', '3 April or 4 March', '2027-04-03 or 2027-03-04'],
    ['03/04/2026', '3 April or 4 March', '2026-04-03 or 2026-03-04'],
    ['this sunday', '22 November or 29 November', '2026-11-22 or 2026-11-29'],
    ['tomorrow at 5', '23 November 05:00 or 23 November 17:00', '2026-11-23T05:00 or 2026-11-23T17:00'],
    ["tomorrow 5 o'clock", '23 November 05:00 or 23 November 17:00', '2026-11-23T05:00 or 2026-11-23T17:00'],
    ['friday midnight', '27 November 00:00 or 28 November 00:00', '2026-11-27T00:00 or 2026-11-28T00:00'],
  ])('%s is refused, for it can mean %s', (text, both, written) => {
    expect(refusal(() => meant(text))).toEqual({
      message: `due: "${text}" can mean ${both}.`,
      hint: `Use ${written}.`,
    });
  });

  test.each([
    ['yesterday', '2026-11-21'],
    ['last friday', '2026-11-20'],
    ['3 days ago', '2026-11-19'],
    ['last month', '2026-10-01'],
    ['2 hours ago', '2026-11-22T12:00+01:00'],
    ['today 9am', '2026-11-22T09:00'],
    ['this morning', '2026-11-22T09:00'],
  ])('%s is refused as past, with the date to write if that is meant', (text, written) => {
    expect(refusal(() => meant(text))).toEqual({
      message: `due: "${text}" is ${written}, in the past.`,
      hint: `Use ${written} if you mean the past. Today is Sun 22 Nov 2026 (2026-11-22).`,
    });
    expect(() => meant(written)).not.toThrow();
  });

  test.each([
    ['this week', '2026-11-22'],
    ['this month', '2026-11-30'],
    ['december', '2026-12-31'],
    ['2027-02', '2027-02-28'],
    ['next 3 days', '2026-11-25'],
    ['Q1', '2027-03-31'],
    ['q4', '2026-12-31'],
    ['Q3 2027', '2027-09-30'],
  ])('%s is refused as many days, with the last of them', (text, last) => {
    expect(refusal(() => meant(text))).toEqual({
      message: `due: "${text}" covers several days.`,
      hint: `Use ${last} for the last one. Today is Sun 22 Nov 2026 (2026-11-22).`,
    });
  });

  test('a weekday that a date does not have is refused with the one it has', () => {
    expect(refusal(() => meant('Wed 24 Nov'))).toEqual({
      message: 'due: "Wed 24 Nov" has the wrong weekday: 2026-11-24 is a Tuesday.',
      hint: 'Use 2026-11-24, or the date of the intended day. Today is Sun 22 Nov 2026 (2026-11-22).',
    });
  });

  test.each([
    'buy milk tomorrow',
    'tomorrow blah',
    'tomorrow or friday',
    'tomorrow friday',
    'mon-fri',
    '24-26 nov',
    '5pm-6pm',
    'tomorrow 09:00-10:00',
    'tomorrow 25:00',
    'tomorrow 17pm',
    'tomorrow 0am',
    'tomorrow 9am 10am',
    'tomorrow 5pm est',
    'tomorrow evening at 2pm',
    'every monday',
    'two evening weeks',
    'noon on',
    '24 nov 17',
    '24 nov 26',
    'friday 13',
    '31 feb',
    'feb 29 2027',
    '13/13/2026',
    '1 jan 1800',
    'in 9999 years',
    'tue 31 may 9999',
    'in 1.5 days',
    'in a few days',
    'in 0.5 business days',
    'in 0 business days',
    'in half business day',
    'this business day',
    'constructor business day',
    'business day',
    'in 1 month and 2 business days',
    'in a few business days',
    'next 3 business days',
    '2 business days from soon',
    'last business day after 25 dec',
    'previous working day from friday',
    'next business day before 25 dec',
    'sixth monday of december',
    '5th monday of december',
    '0th monday of december',
    '00th business day of the month',
    'last monday of today',
    'q5',
    "25 o'clock",
    'soon',
    'now',
    'and',
    'a',
    '3',
    'the',
    'at',
    'heute',
    '',
  ])('"%s" is refused, for not all of it is a date, and today’s date is told', (text) => {
    expect(refusal(() => meant(text))).toEqual({
      message: `due: "${text}" is not a date.`,
      hint: 'Use 2026-11-24, 2026-11-24T17:00 for a time in your timezone, or words such as tomorrow 9am. Today is Sun 22 Nov 2026 (2026-11-22).',
    });
  });
});

test('white space does not hide the rest of a text', () => {
  expect(meant(`tomorrow${' '.repeat(200)}9am`)).toBe(meant('tomorrow 9am'));
  expect(refusal(() => meant(`tomorrow${' '.repeat(200)}or friday`)).message).toContain('is not a date');
});

describe('what is no date of ours, or could be two things', () => {
  test.each([
    ['17h', 'due: "17h" can mean 22 November 17:00 or 23 November 07:00.', 'Use 2026-11-22T17:00 or 2026-11-23T07:00.'],
    ['2 h', 'due: "2 h" can mean 23 November 02:00 or 22 November 16:00.', 'Use 2026-11-23T02:00 or 2026-11-22T16:00.'],
    [
      '9999-12-31',
      'due: 9999-12-31 is out of range.',
      'Use a year from 1900 to 2999. For no date, omit due or use none.',
    ],
    ['3000-01-01', 'due: 3000-01-01 is out of range.', 'Use a year from 1900 to 2999.'],
    ['0000-01-01', 'due: 0000-01-01 is out of range.', 'Use a year from 1900 to 2999.'],
    ['1899-12-31T10:00', 'due: 1899-12-31 is out of range.', 'Use a year from 1900 to 2999.'],
  ])('%s', (text, message, hint) => {
    const body = refusal(() => meant(text));
    expect(body.message).toBe(message);
    expect(body.hint).toContain(hint);
  });
});

describe('on Wednesday 18 November 2026', () => {
  test.each([
    ['friday', '2026-11-20'],
    ['wednesday', '2026-11-25'],
    ['monday', '2026-11-23'],
    ['next monday', '2026-11-23'],
    ['this weekend', '2026-11-21'],
    ['end of week', '2026-11-22'],
    ['next week', '2026-11-23'],
    ['monday next week', '2026-11-23'],
  ])('%s is %s', (text, expected) => {
    expect(meant(text, wednesday)).toBe(expected);
  });

  test.each([
    ['next friday', '2026-11-20 or 2026-11-27'],
    ['next friday 5pm', '2026-11-20T17:00 or 2026-11-27T17:00'],
    ['next weekend', '2026-11-21 or 2026-11-28'],
    ['this wednesday', '2026-11-18 or 2026-11-25'],
  ])('%s is refused, for people mean %s', (text, written) => {
    expect(refusal(() => meant(text, wednesday)).hint).toBe(`Use ${written}.`);
  });
});

describe('how words are written', () => {
  test.each([
    'TOMORROW 9AM',
    '  tomorrow ,  9 am ',
    'ＴＯＭＯＲＲＯＷ　９ａｍ',
    'Tomorrow\u00a09:00',
    'tomorrow 9 a.m.',
  ])('%s is tomorrow 9am', (text) => {
    expect(meant(text)).toBe('2026-11-23T09:00+01:00');
  });

  test.each(['２０２６-11-24', '2026–11–24', ' 2026-11-24 '])('%s is an ISO date', (text) => {
    expect(meant(text)).toBe('2026-11-24');
  });

  test('says nothing of the machine’s own zone', () => {
    const texts = ['today', 'in 2 hours', 'tomorrow 2:30am', 'end of month', '24 Nov', 'next week'];
    const all = () =>
      texts.map((text) => meant(text, { now: new Date('2027-03-13T23:30:00Z'), timezone: 'Asia/Tokyo' }));
    const machine = process.env.TZ;
    try {
      process.env.TZ = 'UTC';
      const expected = all();
      for (const other of ['America/New_York', 'Pacific/Kiritimati', 'Pacific/Apia', 'America/Santiago']) {
        process.env.TZ = other;
        expect(new Date('2027-03-13T23:30:00Z').getTimezoneOffset()).not.toBe(0);
        expect(all()).toEqual(expected);
      }
    } finally {
      if (machine === undefined) delete process.env.TZ;
      else process.env.TZ = machine;
    }
  });
});

describe('what answers print', () => {
  test('reads back as the same, from a week ago on', () => {
    const minutes = fc.integer({ min: -6 * 1440, max: 500 * 1440 });
    const start = fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(start, minutes, fc.boolean(), (now, later, whole) => {
        const here = { now, timezone: 'Asia/Kathmandu' };
        const instant = new Date(Math.floor(now.getTime() / 1000) * 1000 + later * 60_000).toISOString();
        const when = whole ? formatWhen(instant, here.timezone).slice(0, 10) : instant;
        expect(parseWhen(sayWhen(when, here), here, 'due')).toBe(when);
        expect(parseWhen(sayToday(here), here, 'due')).toBe(formatWhen(now.toISOString(), here.timezone).slice(0, 10));
      }),
      { numRuns: 500 },
    );
  });
});

describe('a window', () => {
  test.each([
    ['tomorrow', '2026-11-23..2026-11-23'],
    ['yesterday', '2026-11-21..2026-11-21'],
    ['in 3 days', '2026-11-25..2026-11-25'],
    ['friday', '2026-11-27..2026-11-27'],
    ['24 Nov', '2026-11-24..2026-11-24'],
    ['week', '2026-11-22..2026-11-28'],
    ['this week', '2026-11-16..2026-11-22'],
    ['next week', '2026-11-23..2026-11-29'],
    ['last week', '2026-11-09..2026-11-15'],
    ['this weekend', '2026-11-21..2026-11-22'],
    ['this month', '2026-11-01..2026-11-30'],
    ['december', '2026-12-01..2026-12-31'],
    ['2027-02', '2027-02-01..2027-02-28'],
    ['next 3 days', '2026-11-22..2026-11-25'],
    ['last 7 days', '2026-11-15..2026-11-22'],
    ['tomorrow .. friday', '2026-11-23..2026-11-27'],
    ['today..end of month', '2026-11-22..2026-11-30'],
    [' WEEK ', '2026-11-22..2026-11-28'],
    ['by Friday', '..2026-11-27'],
    ['until 2026-11-30', '..2026-11-30'],
    ['within 3 days', '2026-11-22..2026-11-25'],
    ['Within a week', '2026-11-22..2026-11-29'],
    ['before Friday', '..2026-11-26'],
    ['before next week', '..2026-11-22'],
    ['before\u00a0Friday', '..2026-11-26'],
    ['after\t2026-11-24', '2026-11-25..'],
    ['within  3 days', '2026-11-22..2026-11-25'],
    ['after 2026-11-24', '2026-11-25..'],
    ['after next week', '2026-11-30..'],
    ['from tomorrow on', '2026-11-23..'],
    ['from 1 Dec', '2026-12-01..'],
    ['tomorrow to friday', '2026-11-23..2026-11-27'],
    ['from 1 Dec until 5 Dec', '2026-12-01..2026-12-05'],
    ['between tomorrow and the end of the month', '2026-11-23..2026-11-30'],
    ['today or overdue', '..2026-11-22'],
    ['overdue, today', '..2026-11-22'],
    ['today,overdue', '..2026-11-22'],
    ['overdue or this week', '..2026-11-22'],
    ['Overdue and week', '..2026-11-28'],
    ['within 3 days or overdue', '..2026-11-25'],
  ])('%s is %s', (text, days) => {
    expect(parseWindow(text, sunday)).toEqual(parseWindow(days, sunday));
  });

  test('may be open at one end, and then leaves out what is never due', () => {
    expect(parseWindow('..2026-11-30', sunday)).toEqual({ until: new Date('2026-11-30T23:00:00Z') });
    expect(parseWindow('2026-11-24..', sunday)).toEqual({
      from: new Date('2026-11-23T23:00:00Z'),
      until: new Date('2999-12-31T23:00:00Z'),
    });
  });

  test.each([
    '..',
    'overdue or tomorrow',
    'tomorrow 9am',
    'tomorrow..5pm',
    '2026-11-24..2026-11-25..2026-11-26',
    'soon',
    '',
  ])('"%s" is refused with the windows there are', (text) => {
    expect(refusal(() => parseWindow(text, sunday))).toEqual({
      message: `due: "${text}" is not a range of days.`,
      hint: 'Use overdue, today, week, none, words such as next week, a day such as 2026-11-24, or a range such as 2026-11-24..2026-11-30. Today is Sun 22 Nov 2026 (2026-11-22).',
    });
  });

  test('whose end is before its start is refused', () => {
    expect(refusal(() => parseWindow('friday..tomorrow', sunday)).message).toBe('due: 2026-11-27 is after 2026-11-23.');
  });

  test('between two weekdays, of which the second comes first, is refused with the days it can mean', () => {
    const monday = { ...sunday, now: new Date('2026-11-23T13:00:00Z') };
    expect(refusal(() => parseWindow('Monday to Fri', monday))).toEqual({
      message: 'due: "Monday to Fri" can mean 2026-11-23..2026-11-27 or 2026-11-30..2026-12-04.',
      hint: 'Use one of these ranges.',
    });
  });
});

describe('looking back', () => {
  test.each([
    ['today', '2026-11-21T23:00:00.000Z'],
    ['yesterday', '2026-11-20T23:00:00.000Z'],
    ['yesterday 5pm', '2026-11-21T16:00:00.000Z'],
    ['monday', '2026-11-15T23:00:00.000Z'],
    ['last monday', '2026-11-15T23:00:00.000Z'],
    ['3 days ago', '2026-11-18T23:00:00.000Z'],
    ['2 hours ago', '2026-11-22T11:00:00.000Z'],
    ['this week', '2026-11-15T23:00:00.000Z'],
    ['last week', '2026-11-08T23:00:00.000Z'],
    ['this month', '2026-10-31T23:00:00.000Z'],
    ['last 7 days', '2026-11-14T23:00:00.000Z'],
    ['3 days', '2026-11-18T23:00:00.000Z'],
    ['2 hours', '2026-11-22T11:00:00.000Z'],
    ['24h', '2026-11-21T13:00:00.000Z'],
    ['last 24 hours', '2026-11-21T13:00:00.000Z'],
    ['the past 90 minutes', '2026-11-22T11:30:00.000Z'],
    ['this morning', '2026-11-21T23:00:00.000Z'],
    ['this afternoon', '2026-11-22T11:00:00.000Z'],
    ['monday afternoon', '2026-11-16T11:00:00.000Z'],
    ['in the evening', '2026-11-21T15:00:00.000Z'],
    ['yesterday evening at 8', '2026-11-21T19:00:00.000Z'],
    ['last night', '2026-11-21T17:00:00.000Z'],
    ['end of day yesterday', '2026-11-20T23:00:00.000Z'],
    ['5pm', '2026-11-21T16:00:00.000Z'],
    ['16 Nov', '2026-11-15T23:00:00.000Z'],
    ['24 Nov', '2025-11-23T23:00:00.000Z'],
    ['the 15th', '2026-11-14T23:00:00.000Z'],
    ['2026-11-22T14:30', '2026-11-22T13:30:00.000Z'], // a clock may be ahead
  ])('%s begins at %s', (text, instant) => {
    expect(sinceInstant(text, sunday, 'changed_since').toISOString()).toBe(instant);
  });

  test.each(['2026-11-23', '2027-04-30', '2026-11-22T16:00'])('%s is refused as still to come', (text) => {
    expect(refusal(() => sinceInstant(text, sunday, 'changed_since'))).toEqual({
      message: `changed_since: "${text}" is in the future.`,
      hint: 'Use today or an earlier day. Today is Sun 22 Nov 2026 (2026-11-22).',
    });
  });

  test.each([
    ['tomorrow', '2026-11-23'],
    ['next week', '2026-11-23'],
    ['in 2 hours', '2026-11-22T16:00+01:00'],
    ['this evening', '2026-11-22T16:00'],
  ])('%s is refused as still to come', (text, written) => {
    expect(refusal(() => sinceInstant(text, sunday, 'changed_since'))).toEqual({
      message: `changed_since: "${text}" is ${written}, in the future.`,
      hint: 'Use today or an earlier day. Today is Sun 22 Nov 2026 (2026-11-22).',
    });
  });
});

describe('any text', () => {
  const vocabulary =
    `today tonight tomorrow yesterday now noon midnight morning evening night eod eow week weekend month quarter
    year next this last past end of the start in ago from after before on by at within a an couple half two 3 5 12 24 31 99
    9999 0 1.5 days day business first q1 cob hours h min minutes weeks fortnight monday tue friday sun jan feb november dec may 15th 31st 1st
    2026 2027 1899 3000 5pm 9am 17:00 25:00 2:30 utc gmt+1 +02:00 z 03/04 03/04/2026 24.11.2026 2026-11-24 2026-02 .. - , .`
      .split(/\s+/)
      .filter(Boolean);
  const phrases = fc
    .array(fc.constantFrom(...vocabulary), { minLength: 1, maxLength: 6 })
    .map((words) => words.join(' '));
  const anything = fc.oneof(phrases, fc.string({ unit: 'binary', maxLength: 150 }), fc.string({ unit: 'grapheme' }));
  const instant = fc.date({ min: new Date('1950-01-01'), max: new Date('2900-01-01'), noInvalidDate: true });
  const zones = fc.constantFrom('UTC', 'Europe/Paris', 'America/St_Johns', 'Pacific/Apia', 'Australia/Lord_Howe');

  test('is a day, a moment or a refusal', () => {
    fc.assert(
      fc.property(anything, instant, zones, (text, now, timezone) => {
        const here = { now, timezone };
        const [when, window, since] = [
          () => parseWhen(text, here, 'due'),
          () => parseWindow(text, here),
          () => sinceInstant(text, here, 'changed_since'),
        ].map(outcome);
        if (!(when instanceof Refusal))
          expect(when).toMatch(/^\d{4}-\d\d-\d\d$|^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
        if (since instanceof Date) expect(since.getTime()).not.toBeNaN();
        if (window !== 'none' && !(window instanceof Refusal)) {
          const { from, until } = window as { from?: Date; until: Date };
          expect(until.getTime()).toBeGreaterThan(from?.getTime() ?? Number.NEGATIVE_INFINITY);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('that is a date is none with a word more, before it or after it', () => {
    fc.assert(
      fc.property(phrases, instant, (text, now) => {
        const here = { now, timezone: 'UTC' };
        fc.pre(!(outcome(() => parseWhen(text, here, 'due')) instanceof Refusal));
        for (const more of [`milk ${text}`, `${text} milk`])
          expect(refusal(() => parseWhen(more, here, 'due')).message).toContain('is not a date');
      }),
      { numRuns: 200 },
    );
  });

  test('that is refused with dates to use instead is not refused again with these', () => {
    fc.assert(
      fc.property(phrases, instant, (text, now) => {
        const here = { now, timezone: 'UTC' };
        const refused = outcome(() => parseWhen(text, here, 'due'));
        fc.pre(refused instanceof Refusal && !refused.message.includes('is not a date'));
        const hint = (refused as Refusal).body.hint?.split('Today is')[0] ?? '';
        const written = hint.match(/\d{4}-\d\d-\d\d(?:T[\d:]+(?:[+-]\d\d:\d\d)?)?/g) ?? [];
        expect(written.length).toBeGreaterThan(0);
        for (const each of written) expect(isDay(parseWhen(each, here, 'due'))).toBe(!each.includes('T'));
      }),
      { numRuns: 300, maxSkipsPerRun: 200 },
    );
  });

  function outcome(read: () => unknown): unknown {
    try {
      return read();
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }
});
