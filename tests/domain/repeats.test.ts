import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { Repeat } from '../../src/db/schema.js';
import { dateReaders } from '../../src/domain/dates/chrono.js';
import { nextOccurrence, upcoming } from '../../src/domain/recurrence/follow-series.js';
import { rruleLibrary } from '../../src/domain/recurrence/occurrences.js';
import { isSameRule, parseRepeat } from '../../src/domain/recurrence/read-repeat.js';
import { isRepeat } from '../../src/domain/recurrence/repeat-words.js';
import { sayRepeat } from '../../src/domain/recurrence/say-rule.js';
import { Refusal } from '../../src/errors.js';

await Promise.all([rruleLibrary.load(), dateReaders.load()]);

/** A Sunday, five in the afternoon in Paris. */
const now = new Date('2026-11-22T16:00:00Z');
const timezone = 'Europe/Paris';
const context = { now, timezone };
const parse = (text: string, due: string | null = null) => parseRepeat(text, due, context);
const refusal = (text: string, due: string | null = null) => {
  try {
    parse(text, due);
  } catch (error) {
    if (error instanceof Refusal) return error.body;
    throw error;
  }
  throw new Error(`"${text}" was understood`);
};
const next = (repeat: Repeat, due: string, at: string, zone = timezone) =>
  nextOccurrence(repeat, due, { now: new Date(at), timezone: zone })?.due;

const PHRASES: [phrase: string, rule: string, said: string, due: string][] = [
  ['every day', 'FREQ=DAILY', 'every day', '2026-11-22'],
  ['Daily.', 'FREQ=DAILY', 'every day', '2026-11-22'],
  ['ＥＶＥＲＹ ｄａｙ', 'FREQ=DAILY', 'every day', '2026-11-22'],
  ['every other day', 'FREQ=DAILY;INTERVAL=2', 'every 2 days', '2026-11-22'],
  ['every three days', 'FREQ=DAILY;INTERVAL=3', 'every 3 days', '2026-11-22'],
  ['every weekday', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', 'every weekday', '2026-11-23'],
  ['every mon-fri at 9am', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', 'every weekday at 09:00', '2026-11-23T08:00:00.000Z'],
  ['weekdays at 9', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', 'every weekday at 09:00', '2026-11-23T08:00:00.000Z'],
  ['every weekend', 'FREQ=WEEKLY;BYDAY=SA,SU', 'every weekend', '2026-11-22'],
  ['every monday, wednesday and friday', 'FREQ=WEEKLY;BYDAY=MO,WE,FR', 'every Mon, Wed and Fri', '2026-11-23'],
  ['every mon,wed', 'FREQ=WEEKLY;BYDAY=MO,WE', 'every Mon and Wed', '2026-11-23'],
  ['every other tuesday', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU', 'every 2 weeks on Tue', '2026-11-24'],
  ['every 2 weeks on tuesday', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU', 'every 2 weeks on Tue', '2026-11-24'],
  ['biweekly', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=SU', 'every 2 weeks on Sun', '2026-11-22'],
  ['every second week', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=SU', 'every 2 weeks on Sun', '2026-11-22'],
  ['every 2nd Tuesday', 'FREQ=MONTHLY;BYDAY=2TU', 'monthly on the 2nd Tue', '2026-12-08'],
  ['every second tuesday of the month', 'FREQ=MONTHLY;BYDAY=2TU', 'monthly on the 2nd Tue', '2026-12-08'],
  ['every 1st and 3rd mon', 'FREQ=MONTHLY;BYDAY=1MO,3MO', 'monthly on the 1st Mon and 3rd Mon', '2026-12-07'],
  ['last friday of every month', 'FREQ=MONTHLY;BYDAY=-1FR', 'monthly on the last Fri', '2026-11-27'],
  [
    'monthly on the last Friday until June',
    'FREQ=MONTHLY;UNTIL=20270630;BYDAY=-1FR',
    'monthly on the last Fri until 30 Jun 2027',
    '2026-11-27',
  ],
  [
    'monthly on the last business day',
    'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1',
    'monthly on the last weekday',
    '2026-11-30',
  ],
  ['monthly', 'FREQ=MONTHLY;BYMONTHDAY=22', 'monthly on the 22nd', '2026-11-22'],
  ['every 15th', 'FREQ=MONTHLY;BYMONTHDAY=15', 'monthly on the 15th', '2026-12-15'],
  ['monthly on the 1st and 15th', 'FREQ=MONTHLY;BYMONTHDAY=1,15', 'monthly on the 1st and 15th', '2026-12-01'],
  ['every month on the last day', 'FREQ=MONTHLY;BYMONTHDAY=-1', 'monthly on the last day', '2026-11-30'],
  ['monthly on the 31st', 'FREQ=MONTHLY;BYMONTHDAY=-1', 'monthly on the last day', '2026-11-30'],
  [
    'monthly on the 30th',
    'FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1',
    'monthly on the 30th or last day',
    '2026-11-30',
  ],
  ['FREQ=MONTHLY;BYMONTHDAY=31', 'FREQ=MONTHLY;BYMONTHDAY=31', 'FREQ=MONTHLY;BYMONTHDAY=31', '2026-12-31'],
  ['FREQ=DAILY;UNTIL=99991231T235959Z', 'FREQ=DAILY', 'every day', '2026-11-22'],
  ['FREQ=DAILY;UNTIL=99991231', 'FREQ=DAILY', 'every day', '2026-11-22'],
  ['quarterly', 'FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=22', 'every 3 months on the 22nd', '2026-11-22'],
  ['annually', 'FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=22', 'every year on 22 Nov', '2026-11-22'],
  ['every 24 nov', 'FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=24', 'every year on 24 Nov', '2026-11-24'],
  ['every november 24th', 'FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=24', 'every year on 24 Nov', '2026-11-24'],
  ['every 29 feb', 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1', 'every year on the last day of Feb', '2027-02-28'],
  ['every leap day', 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29', 'every leap day', '2028-02-29'],
  ['every last fri of nov', 'FREQ=YEARLY;BYMONTH=11;BYDAY=-1FR', 'every year on the last Fri of Nov', '2026-11-27'],
  ['every day at noon', 'FREQ=DAILY', 'every day at 12:00', '2026-11-23T11:00:00.000Z'],
  ['every morning at 8', 'FREQ=DAILY', 'every day at 08:00', '2026-11-23T07:00:00.000Z'],
  ['daily for 2 weeks', 'FREQ=DAILY;UNTIL=20261205', 'every day until 5 Dec 2026', '2026-11-22'],
  ['once a week', 'FREQ=WEEKLY;BYDAY=SU', 'every Sun', '2026-11-22'],
  [
    'every day 17:30 for 10 times',
    'FREQ=DAILY;COUNT=10',
    'every day at 17:30 for 10 times',
    '2026-11-22T16:30:00.000Z',
  ],
  ['every monday, 10 times', 'FREQ=WEEKLY;COUNT=10;BYDAY=MO', 'every Mon for 10 times', '2026-11-23'],
  ['daily until 2027-06-30', 'FREQ=DAILY;UNTIL=20270630', 'every day until 30 Jun 2027', '2026-11-22'],
  ['daily starting 1 dec until january', 'FREQ=DAILY;UNTIL=20270131', 'every day until 31 Jan 2027', '2026-12-01'],
  ['every 3 days after completion', 'FREQ=DAILY;INTERVAL=3', 'every 3 days after completion', '2026-11-22'],
  ['every! 3 days', 'FREQ=DAILY;INTERVAL=3', 'every 3 days after completion', '2026-11-22'],
  ['3 days after completion', 'FREQ=DAILY;INTERVAL=3', 'every 3 days after completion', '2026-11-22'],
  ['RRULE:FREQ=WEEKLY;BYDAY=TU;INTERVAL=2', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU', 'every 2 weeks on Tue', '2026-11-24'],
  ['FREQ=DAILY;BYDAY=FR,MO,TU,WE,TH;WKST=SU', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', 'every weekday', '2026-11-23'],
  ['FREQ=DAILY;BYHOUR=9;BYMINUTE=30', 'FREQ=DAILY', 'every day at 09:30', '2026-11-23T08:30:00.000Z'],
  ['FREQ=WEEKLY;BYDAY=MO,WE,SU;BYSETPOS=1;WKST=SU', 'FREQ=WEEKLY;BYDAY=SU', 'every Sun', '2026-11-22'],
  ['FREQ=YEARLY;BYWEEKNO=53', 'FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU', 'FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU', '2027-01-03'],
  ['every! week at 9', 'FREQ=WEEKLY', 'every week at 09:00 after completion', '2026-11-23T08:00:00.000Z'],
];

describe('a phrase', () => {
  test.each(PHRASES)('%s', (phrase, rule, said, due) => {
    const read = parse(phrase);
    expect([read.repeat.rule, sayRepeat(read.repeat), read.due]).toEqual([rule, said, due]);
    expect(parse(said, due).repeat).toEqual(read.repeat);
    expect(isRepeat(phrase)).toBe(true);
  });

  test.each([
    ['every day until next friday', 'FREQ=DAILY;UNTIL=20261127', '2026-11-22'],
    ['every monday until end of year at 9.30am', 'FREQ=WEEKLY;UNTIL=20261231;BYDAY=MO', '2026-11-23T08:30:00.000Z'],
    ['every day starting next monday', 'FREQ=DAILY', '2026-11-23'],
    ['every weekday in the morning', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', '2026-11-23T08:00:00.000Z'],
    ['every monday morning', 'FREQ=WEEKLY;BYDAY=MO', '2026-11-23T08:00:00.000Z'],
    ['every day in the evening starting in two weeks', 'FREQ=DAILY', '2026-12-06T18:00:00.000Z'],
    ['every morning', 'FREQ=DAILY', '2026-11-23T08:00:00.000Z'],
    ['each evening for 3 times', 'FREQ=DAILY;COUNT=3', '2026-11-22T18:00:00.000Z'],
    ['every other afternoon', 'FREQ=DAILY;INTERVAL=2', '2026-11-23T14:00:00.000Z'],
    ['every night', 'FREQ=DAILY', '2026-11-22'],
    ['every 2nd night', 'FREQ=DAILY;INTERVAL=2', '2026-11-22'],
    ['every third evening', 'FREQ=DAILY;INTERVAL=3', '2026-11-22T18:00:00.000Z'],
    ['every 3 nights at 10', 'FREQ=DAILY;INTERVAL=3', '2026-11-22T21:00:00.000Z'],
    ['weekday mornings at 8', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', '2026-11-23T07:00:00.000Z'],
    ['every night at 10pm', 'FREQ=DAILY', '2026-11-22T21:00:00.000Z'],
    ['every monday night', 'FREQ=WEEKLY;BYDAY=MO', '2026-11-23'],
    ['every day at night', 'FREQ=DAILY', '2026-11-22'],
    ['everyday at 9', 'FREQ=DAILY', '2026-11-23T08:00:00.000Z'],
    ['at 5pm every day', 'FREQ=DAILY', '2026-11-23T16:00:00.000Z'],
    ['At 17:30, every weekday', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', '2026-11-23T16:30:00.000Z'],
    ['9am daily', 'FREQ=DAILY', '2026-11-23T08:00:00.000Z'],
    ['on mondays', 'FREQ=WEEKLY;BYDAY=MO', '2026-11-23'],
    ['on mondays and thursdays at 9', 'FREQ=WEEKLY;BYDAY=MO,TH', '2026-11-23T08:00:00.000Z'],
    ['on the 15th of every month', 'FREQ=MONTHLY;BYMONTHDAY=15', '2026-12-15'],
    ['at 8 every morning', 'FREQ=DAILY', '2026-11-23T07:00:00.000Z'],
    ['every monday evening at 7', 'FREQ=WEEKLY;BYDAY=MO', '2026-11-23T18:00:00.000Z'],
    ['every monday at 7:30 in the evening', 'FREQ=WEEKLY;BYDAY=MO', '2026-11-23T18:30:00.000Z'],
    ['every weekday at 8 in the morning', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', '2026-11-23T07:00:00.000Z'],
    ['every weekday morning, 8am', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', '2026-11-23T07:00:00.000Z'],
    ['every afternoon at 12:30', 'FREQ=DAILY', '2026-11-23T11:30:00.000Z'],
    ['every night at 9', 'FREQ=DAILY', '2026-11-22T20:00:00.000Z'],
    ["every day at 5 o'clock pm", 'FREQ=DAILY', '2026-11-23T16:00:00.000Z'],
    ['every evening by 9', 'FREQ=DAILY', '2026-11-22T20:00:00.000Z'],
    ['every friday by 17:00', 'FREQ=WEEKLY;BYDAY=FR', '2026-11-27T16:00:00.000Z'],
    ['every friday by 5pm', 'FREQ=WEEKLY;BYDAY=FR', '2026-11-27T16:00:00.000Z'],
    ['every monday @ 9', 'FREQ=WEEKLY;BYDAY=MO', '2026-11-23T08:00:00.000Z'],
    ['every friday by end of day', 'FREQ=WEEKLY;BYDAY=FR', '2026-11-27'],
    ["every evening at 9 o'clock", 'FREQ=DAILY', '2026-11-22T20:00:00.000Z'],
    ["at 5 o'clock every evening", 'FREQ=DAILY', '2026-11-23T16:00:00.000Z'],
    ["every day at 9 o'clock", 'FREQ=DAILY', '2026-11-23T08:00:00.000Z'],
    ['every day at 5 in the morning', 'FREQ=DAILY', '2026-11-23T04:00:00.000Z'],
    ['nightly at 10pm', 'FREQ=DAILY', '2026-11-22T21:00:00.000Z'],
    ['every day at 9 for 10 days', 'FREQ=DAILY;UNTIL=20261202', '2026-11-23T08:00:00.000Z'],
    ['every monday for the next three weeks', 'FREQ=WEEKLY;UNTIL=20261213;BYDAY=MO', '2026-11-23'],
    ['every day for a week starting 1 dec', 'FREQ=DAILY;UNTIL=20261207', '2026-12-01'],
    ['monthly for a year', 'FREQ=MONTHLY;UNTIL=20271121;BYMONTHDAY=22', '2026-11-22'],
    ['daily for 1000 years', 'FREQ=DAILY', '2026-11-22'],
    ['starting dec 1, every day', 'FREQ=DAILY', '2026-12-01'],
    ['from 1 july every monday', 'FREQ=WEEKLY;BYDAY=MO', '2027-07-05'],
    ['every mon until 31/12/2026', 'FREQ=WEEKLY;UNTIL=20261231;BYDAY=MO', '2026-11-23'],
    ['every mon ending 2026-12-31', 'FREQ=WEEKLY;UNTIL=20261231;BYDAY=MO', '2026-11-23'],
    ['every day until end of month', 'FREQ=DAILY;UNTIL=20261130', '2026-11-22'],
    ['every day until end of Q1', 'FREQ=DAILY;UNTIL=20270331', '2026-11-22'],
    ['every day until 15th', 'FREQ=DAILY;UNTIL=20261215', '2026-11-22'],
    ['every day until monday next week', 'FREQ=DAILY;UNTIL=20261123', '2026-11-22'],
    ['every day until the end of june starting 1 dec 2027', 'FREQ=DAILY;UNTIL=20280630', '2027-12-01'],
    ['every day until 1 jan 3000', 'FREQ=DAILY', '2026-11-22'],
    ['every day starting the 15th', 'FREQ=DAILY', '2026-12-15'],
    ['every day starting end of june', 'FREQ=DAILY', '2027-06-30'],
    ['every day starting november', 'FREQ=DAILY', '2026-11-22'],
    ['every day starting this week', 'FREQ=DAILY', '2026-11-22'],
    ['every day from june 9 am', 'FREQ=DAILY', '2027-06-01T07:00:00.000Z'],
    ['every day starting next business day until fri, 25 dec', 'FREQ=DAILY;UNTIL=20261225', '2026-11-23'],
    ['every day starting 1 dec 2027 until fri 24 dec', 'FREQ=DAILY;UNTIL=20271224', '2027-12-01'],
    ['every day until fri 24 dec starting 1 dec 2027', 'FREQ=DAILY;UNTIL=20271224', '2027-12-01'],
    ['every alternate friday', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=FR', '2026-11-27'],
    ['bi-weekly on tue', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU', '2026-11-24'],
    ['once a week on monday', 'FREQ=WEEKLY;BYDAY=MO', '2026-11-23'],
    ['once every two weeks', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=SU', '2026-11-22'],
    ['every mon wed fri', 'FREQ=WEEKLY;BYDAY=MO,WE,FR', '2026-11-23'],
    ['every tuesday and every thursday', 'FREQ=WEEKLY;BYDAY=TU,TH', '2026-11-24'],
    ['monthly on day 10', 'FREQ=MONTHLY;BYMONTHDAY=10', '2026-12-10'],
    ['at the end of every month', 'FREQ=MONTHLY;BYMONTHDAY=-1', '2026-11-30'],
    ['every end of month', 'FREQ=MONTHLY;BYMONTHDAY=-1', '2026-11-30'],
    ['monthly at the end of the month', 'FREQ=MONTHLY;BYMONTHDAY=-1', '2026-11-30'],
    ['a week after completion', 'FREQ=WEEKLY', '2026-11-22'],
    ["3 days after it's done", 'FREQ=DAILY;INTERVAL=3', '2026-11-22'],
    ['every 3 days after I finish it', 'FREQ=DAILY;INTERVAL=3', '2026-11-22'],
  ])('says its ends and times as a due date may: %s', (phrase, rule, due) => {
    expect([parse(phrase).repeat.rule, parse(phrase).due]).toEqual([rule, due]);
  });

  test.each([
    ['second tuesday of the month', 'FREQ=MONTHLY;BYDAY=2TU'],
    ['second sunday of may', 'FREQ=YEARLY;BYMONTH=5;BYDAY=2SU'],
  ])('is understood where only repeats are asked for: %s', (phrase, rule) => {
    expect(parse(phrase).repeat.rule).toBe(rule);
  });

  test.each([
    'tomorrow',
    'next week',
    '2026-11-24',
    '24 nov',
    'in 3 days',
    'in 3 weekdays',
    '3 weekdays',
    'five weekdays',
    '3 weekdays from now',
    '3 weekdays after friday',
    'monday',
    'year of the dragon',
    '',
  ])('about one day is none: %s', (text) => expect(isRepeat(text)).toBe(false));

  test.each([
    ['every full moon', '"full" is not understood here.'],
    ['every day or so', '"or" is not understood here.'],
    ['every', 'something is missing at the end.'],
    ['every 15', '"15" is not understood here.'],
    ['every monday and 15th', 'weekdays, nth weekdays and days of the month cannot be combined.'],
    ['every 31 nov', 'no month has that day.'],
    ['every 0 days', 'the interval must be 1 to 1000.'],
    ['every 4 hours', 'a task can repeat at most once a day.'],
    ['every day until 2020-01-01', 'it ends 2020-01-01, before its first day, 2026-11-22.'],
    ['every day for 1001 times', 'the count must be 1 to 1000.'],
    ['every day for 0 times', 'the count must be 1 to 1000.'],
    ['FREQ=DAILY;COUNT=1001', 'COUNT must be between 1 and 1000.'],
    ['every day until june for 3 times', 'give an end date or a number of times, not both.'],
    ['FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', 'no day matches that rule.'],
    ['FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1', 'no day matches that rule.'],
    ['FREQ=DAILY;BYHOUR=9,17', 'a task can repeat at most once a day, so BYHOUR takes one value.'],
    ['FREQ=WEEKLY;INTERVAL=1001', 'INTERVAL must be between 1 and 1000.'],
    ['FREQ=DAILY;COUNT=2;UNTIL=20270101', 'COUNT and UNTIL cannot be combined.'],
    ['FREQ=DAILY;X-KEY=1', '"X-KEY=1" is not a valid part of a recurrence rule.'],
    ['DTSTART:20261124\nRRULE:FREQ=DAILY', 'only the rule itself is accepted.'],
    ['every day in the office', '"office" is not understood here.'],
    ['at 5pm every day at 6pm', 'two times of day are given.'],
    ['every day 9am 17:00', 'two times of day are given.'],
    ['every day at 9am and 5pm', 'two times of day are given.'],
    ['every day at 9am and later', '"later" is not understood here.'],
    ['twice a week', 'how often is not enough: name the days.'],
    ['three times per month', 'how often is not enough: name the days.'],
    ['twice a day', 'a task can repeat at most once a day.'],
    ['10 times every day', 'a task can repeat at most once a day.'],
    ['every january', 'a day of the month is missing.'],
    ['every day until wed 24 nov', '2026-11-24 is a Tuesday.'],
    ['every day starting 1 dec 2027 until thu 24 dec', '2027-12-24 is a Friday.'],
    ['every day until 03/04/2027', '"03/04/2027" can mean 2027-04-03 or 2027-03-04.'],
    ['every day until this sunday', '"this sunday" can mean 2026-11-22 or 2026-11-29.'],
    ['every day for 2 weeks for 3 times', 'give an end date or a number of times, not both.'],
    ['every day for 2 weeks until june', 'two ends are given.'],
    ['every day for 0 weeks', 'it ends 2026-11-21, before its first day, 2026-11-22.'],
    ['every day from monday through friday', '"through" is not understood here.'],
    ['every day for 2 hours', '"hours" is not understood here.'],
    ['FREQ=DAILY;BYHOUR=9 at 10', 'two times of day are given.'],
    ['every morning in the evening', 'two parts of the day are given.'],
    ['every day from monday from tuesday', 'two starts are given.'],
    ['every day until monday until tuesday', 'two ends are given.'],
    ['every day for 3 times for 4 times', 'two counts are given.'],
    ['at 5pm', 'something is missing at the end.'],
    ['every friday by 5', '5 is not clear as a time.'],
    ['every day at 5', '5 is not clear as a time.'],
    ['at 6 every day', '6 is not clear as a time.'],
    ['every day starting 1 jan 1800', '"1800" is not understood here.'],
    ["every day at 5 o'clock", '5 is not clear as a time.'],
    ["at 5 o'clock every day", '5 is not clear as a time.'],
    ['every month by 15', '15 is not clear as a time.'],
    ['every month by 32', '"32" is not understood here.'],
    ['every day for next week', '"next" is not understood here.'],
    ['every day for the next month', '"the" is not understood here.'],
    ['every day for months', '"months" is not understood here.'],
    ['every day for weeks', '"weeks" is not understood here.'],
    ['every day for the month', '"the" is not understood here.'],
    ['every first night', '"night" is not understood here.'],
    ['every first morning', '"morning" is not understood here.'],
    ['first night of the month', '"night" is not understood here.'],
    ['by friday', '"by" is not understood here.'],
    ['a week', '"a" is not understood here.'],
    ['an evening', '"an" is not understood here.'],
    ['every night at 1', '01:00 does not go with "night".'],
    ['every morning at 8pm', '20:00 does not go with "morning".'],
    ['every evening at 8am', '08:00 does not go with "evening".'],
    ['every noon morning', '"noon" is not understood here.'],
    ['every day until doomsday', '"doomsday" is not understood here.'],
    ['0 9 * * 1', 'cron expressions are not supported.'],
    ['*/5 9-17 * * mon-fri', 'cron expressions are not supported.'],
  ])('that is not understood to its end is refused with an example: %s', (text, message) => {
    const body = refusal(text);
    expect(body).toMatchObject({ code: 'invalid', message: `repeats: ${message}` });
    expect(body.hint).toBeTruthy();
  });

  test('that gives an hour alone is refused with the times it may mean', () => {
    expect(refusal('every friday by 5').hint).toBe('Use 05:00 or 17:00.');
    expect(refusal('every month by 15').hint).toBe('Use 15:00.');
  });

  test.each([
    ['FREQ=YEARLY;BYDAY=MO,20TU', 'BYMONTH'],
    ['FREQ=YEARLY;BYDAY=20TU;BYMONTHDAY=13', 'BYMONTH'],
    ['FREQ=YEARLY;BYDAY=53MO', 'BYDAY=53MO does not fit FREQ=YEARLY'],
    ['FREQ=YEARLY;BYYEARDAY=100;BYDAY=1MO', 'use BYMONTH and BYMONTHDAY'],
    ['FREQ=YEARLY;BYYEARDAY=100;BYMONTH=4', 'use BYMONTH and BYMONTHDAY'],
    ['FREQ=YEARLY;BYYEARDAY=100,101;BYSETPOS=1', 'use BYMONTH and BYMONTHDAY'],
    ['FREQ=YEARLY;BYYEARDAY=100;BYMONTHDAY=10', 'use BYMONTH and BYMONTHDAY'],
    ['FREQ=YEARLY;BYYEARDAY=100;BYWEEKNO=20', 'use BYMONTH and BYMONTHDAY'],
    ['FREQ=YEARLY;BYWEEKNO=20;BYMONTHDAY=13', 'use BYMONTH and BYMONTHDAY'],
    ['FREQ=YEARLY;BYWEEKNO=20;INTERVAL=2', 'use FREQ=WEEKLY'],
    ['FREQ=WEEKLY;BYDAY=MO,TU;BYMONTH=5;BYSETPOS=-1', 'name the weekday in BYDAY'],
  ])('of parts that are not reckoned together is refused, saying what to use: %s', (text, instead) => {
    expect(refusal(text)).toMatchObject({ code: 'invalid', message: expect.stringContaining(instead) });
  });

  test('in words is never refused for the parts of its rule', () => {
    const listed = (all: string[]) =>
      fc.uniqueArray(fc.constantFrom(...all), { minLength: 1, maxLength: 3 }).map((list) => list.join(' and '));
    const place = fc.oneof(
      listed(['mon', 'tue', 'fri', 'sun', 'weekday', 'weekend']),
      listed(['1st mon', 'last fri', '5th tue', '2nd sun', '2nd weekday', 'last business day']),
      listed(['1st', '15th', '29th', '30th', '31st', 'last day']),
      listed(['29 feb', '24 nov', 'leap day']),
    );
    const words = fc
      .tuple(
        fc.constantFrom('every', 'every other', 'every 1000', 'every 2nd', 'every!', ''),
        fc.constantFrom('day', 'week', 'fortnight', 'month', 'quarter', 'year', ''),
        fc.tuple(fc.constantFrom('on', 'on the', 'the', ''), place).map((parts) => parts.join(' ')),
        fc.constantFrom('', 'of the month', 'of feb', 'of nov'),
        fc.constantFrom('', 'after completion', 'for 1000 times', 'until 2030'),
      )
      .map((parts) => parts.filter(Boolean).join(' '));
    const said = new Set<string>();
    fc.assert(
      fc.property(words, (phrase) => {
        try {
          const { repeat, due } = parse(phrase);
          said.add(repeat.rule);
          expect(parse(repeat.rule, due).repeat).toMatchObject({ rule: repeat.rule, occurrence: repeat.occurrence });
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          expect(error.body.message).not.toMatch(/BY[A-Z]|FREQ|COUNT|no day matches/);
        }
      }),
      { numRuns: 3000 },
    );
    expect(said.size).toBeGreaterThan(60);
  });

  test('loads the library when one is first read, and reads it then', async () => {
    vi.resetModules();
    const [{ parseRepeat }, { withLazyModules }] = await Promise.all([
      import('../../src/domain/recurrence/read-repeat.js'),
      import('../../src/domain/lazy-module.js'),
    ]);
    expect(() => parseRepeat('every day', null, context)).toThrow('outside withLazyModules()');
    expect(await withLazyModules(async () => parseRepeat('every day', null, context).due)).toBe('2026-11-22');
    expect(parseRepeat('every day', null, context).due).toBe('2026-11-22');
  });

  test('of whatever characters is understood or refused, and said so that it reads back', () => {
    const words = fc.constantFrom(
      ...'every each other day weekday weekend week month quarter year mon tuesday fri last first 2nd 15th 31st the of on and , - ! at 9 09:00 5pm until till june 30 nov 2027 for 10 times starting after completion FREQ=MONTHLY ;BYDAY=-1FR COUNT=3 leap 0 999 2026-12-01 from tomorrow feb 29'.split(
        ' ',
      ),
    );
    const days = fc.constantFrom(...PHRASES.map(([phrase]) => phrase.replace(/ (?:at|until|for) .*/, '')));
    const rest = fc.array(
      fc.constantFrom(
        'at 9',
        '5pm',
        'until june',
        'till 29 feb',
        'for 10 times',
        'starting fri',
        'after completion',
        'for 2 weeks',
        'in the evening',
        'at 8 and 9',
        'until fri 25 dec',
        'once a week',
        'twice a day',
        ', 2 times',
      ),
      { maxLength: 3 },
    );
    const text = fc.oneof(
      fc.tuple(days, rest).map(([on, also]) => [on, ...also].join(' ')),
      fc.array(words, { maxLength: 9 }).map((list) => list.join(' ')),
      fc.array(words, { maxLength: 6 }).map((list) => `every ${list.join(' ')}`),
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ maxLength: 40 }).map((rest) => `FREQ=${rest}`),
    );
    let understood = 0;
    fc.assert(
      fc.property(text, fc.constantFrom(null, '2026-11-24', '2024-02-29T23:30:00.000Z'), (phrase, due) => {
        isRepeat(phrase);
        let read: ReturnType<typeof parse>;
        try {
          read = parse(phrase, due);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
          return;
        }
        understood++;
        upcoming(read.repeat, read.due, context);
        nextOccurrence(read.repeat, read.due, context);
        expect(parse(sayRepeat(read.repeat), read.due).repeat.rule).toBe(read.repeat.rule);
      }),
      { numRuns: 1500 },
    );
    expect(understood).toBeGreaterThan(100);
  });
});

describe('with a due date', () => {
  test('the rule starts there, also if that is not one of its days', () => {
    const { repeat, due } = parse('every 2 weeks on mon', '2026-11-25');
    expect([due, repeat.anchor, repeat.occurrence]).toEqual(['2026-11-25', '2026-11-25', '2026-11-25']);
    expect(upcoming(repeat, due, context)).toEqual(['2026-12-07', '2026-12-21', '2027-01-04']);
  });

  test('its time of day is kept, and a time in the phrase is added to a day', () => {
    const timed = parse('every week', '2026-11-24T16:00:00.000Z');
    expect(sayRepeat(timed.repeat)).toBe('every Tue at 17:00');
    expect(parse('every week at 9', '2026-11-24').due).toBe('2026-11-24T08:00:00.000Z');
  });

  test('the one at hand is the first of the count', () => {
    const { repeat, due } = parse('every mon for 3 times', '2026-11-25');
    expect(upcoming(repeat, due, context, 9)).toEqual(['2026-11-30', '2026-12-07']);
  });

  test('nothing is counted from long ago', () => {
    expect(refusal('every week for 1000 times', '2001-01-01').message).toContain('cannot start more than 25 years ago');
    expect(next(parse('every month for 1000 times', '2002-01-01').repeat, '2002-01-01', '2026-11-23T12:00:00Z')).toBe(
      '2026-12-01',
    );
  });

  test('decides the year of the end, also for a task that repeats already', () => {
    const { repeat } = parse('every day until fri 24 dec', '2027-12-01');
    expect(repeat.rule).toBe('FREQ=DAILY;UNTIL=20271224');
    const was = { due: '2026-11-23', repeats: parse('every day').repeat };
    expect(isSameRule('every day until fri 24 dec', '2027-12-01', was, context)).toBe(false);
    expect(isSameRule('every day until fri 24 dec', null, { due: '2027-12-02', repeats: repeat }, context)).toBe(true);
  });

  test('a start on another day is refused', () => {
    expect(refusal('every day starting 2026-12-01', '2026-11-25').message).toContain('due is 2026-11-25');
  });
});

describe('completing', () => {
  test('brings the next after the one it stands for, early or late', () => {
    const { repeat, due } = parse('every monday', '2026-11-23');
    expect(next(repeat, due, '2026-11-20T12:00:00Z')).toBe('2026-11-30');
    expect(next(repeat, due, '2026-11-23T12:00:00Z')).toBe('2026-11-30');
    expect(next(repeat, due, '2026-11-30T12:00:00Z')).toBe('2026-11-30');
    expect(next(repeat, due, '2027-03-02T12:00:00Z')).toBe('2027-03-08');
  });

  test('never brings a time that is past', () => {
    const { repeat, due } = parse('every day at 09:00', '2026-11-23');
    expect(next(repeat, due, '2026-11-25T07:59:59Z')).toBe('2026-11-25T08:00:00.000Z');
    expect(next(repeat, due, '2026-11-25T08:00:00Z')).toBe('2026-11-26T08:00:00.000Z');
  });

  test('keeps the rule where one was moved, and brings none before the day it was moved to', () => {
    const { repeat } = parse('every 2 weeks on mon', '2026-11-23');
    expect(next(repeat, '2026-11-24', '2026-11-24T12:00:00Z')).toBe('2026-12-07');
    expect(next(repeat, '2026-11-20', '2026-11-20T12:00:00Z')).toBe('2026-12-07');
    expect(next(repeat, '2026-12-07', '2026-11-24T12:00:00Z')).toBe('2026-12-21');
    expect(next(repeat, '2026-12-09T10:00:00.000Z', '2026-11-24T12:00:00Z')).toBe('2026-12-21');
    expect(upcoming(repeat, '2026-12-09', context, 1)).toEqual(['2026-12-21']);
  });

  test('ends the series with its last', () => {
    const until = parse('every day until 2026-11-24', '2026-11-23');
    const last = nextOccurrence(until.repeat, until.due, { now: new Date('2026-11-23T12:00:00Z'), timezone });
    expect(last?.due).toBe('2026-11-24');
    expect(last && next(last.repeat, last.due, '2026-11-24T12:00:00Z')).toBeUndefined();
    expect(next(until.repeat, until.due, '2026-11-25T12:00:00Z')).toBeUndefined();
  });

  test('counts from the day it was done, if so asked, and keeps the time of day', () => {
    const { repeat, due } = parse('every! 3 days at 09:00 for 3 times', '2026-11-23');
    const second = nextOccurrence(repeat, due, { now: new Date('2026-11-26T22:59:00Z'), timezone });
    expect(second).toEqual({
      repeat: {
        rule: 'FREQ=DAILY;INTERVAL=3;COUNT=2',
        from: 'completion',
        anchor: '2026-11-29T09:00',
        occurrence: '2026-11-29T09:00',
      },
      due: '2026-11-29T08:00:00.000Z',
    });
    const third =
      second && nextOccurrence(second.repeat, second.due, { now: new Date('2026-11-26T23:01:00Z'), timezone });
    expect(third?.due).toBe('2026-11-30T08:00:00.000Z');
    expect(third && next(third.repeat, third.due, '2026-11-30T12:00:00Z')).toBeUndefined();
  });

  test('a month after the 31st is the last day of the next, and two weeks on a weekday are never tomorrow', () => {
    const month = parse('every month after completion', '2027-01-31');
    expect(next(month.repeat, month.due, '2027-01-31T12:00:00Z')).toBe('2027-02-28');
    const weeks = parse('every 2 weeks on tue after completion', '2026-11-24');
    expect(next(weeks.repeat, weeks.due, '2026-11-23T12:00:00Z')).toBe('2026-12-08');
    expect(next(weeks.repeat, weeks.due, '2026-11-25T12:00:00Z')).toBe('2026-12-08');
  });
});

describe('completing what is counted from its completion', () => {
  test.each([
    ['every monday after completion', '2026-11-30', '2026-12-07'],
    ['monthly on the 15th after completion', '2026-12-15', '2027-01-15'],
    ['every 2 weeks on tue after completion', '2026-12-01', '2026-12-15'],
  ])('brings the next of its days, done early or on time, as was announced: %s', (text, due, expected) => {
    const { repeat } = parse(text, due);
    expect(upcoming(repeat, due, context, 1)).toEqual([expected]);
    for (const done of ['2026-11-22', due]) expect(next(repeat, due, `${done}T12:00:00Z`)).toBe(expected);
  });

  test('brings none before the day that one was moved to, nor again on the day that it was moved from', () => {
    const { repeat } = parse('every monday after completion', '2026-11-30');
    expect(next(repeat, '2026-12-08', '2026-11-29T12:00:00Z')).toBe('2026-12-14');
    expect(next(repeat, '2026-11-26', '2026-11-26T12:00:00Z')).toBe('2026-12-07');
    expect(next(repeat, '2026-11-30', '2026-12-09T12:00:00Z')).toBe('2026-12-14');
  });
});

describe('clocks and calendars', () => {
  test('nine stays nine when the clocks change', () => {
    const { repeat, due } = parse('every day at 09:00', '2026-10-24');
    expect([due, ...upcoming(repeat, due, { ...context, now: new Date(due) }, 1)]).toEqual([
      '2026-10-24T07:00:00.000Z',
      '2026-10-25T08:00:00.000Z',
    ]);
  });

  test('a time that the clocks skip comes later that day, once, and of one shown twice it is the first', () => {
    const spring = parse('every day at 02:30', '2027-03-27');
    const days = ['2027-03-28T01:30:00.000Z', '2027-03-29T00:30:00.000Z'];
    expect(upcoming(spring.repeat, spring.due, context, 2)).toEqual(days);
    const autumn = parse('every day at 02:30', '2026-10-24');
    expect(upcoming(autumn.repeat, autumn.due, { ...context, now: new Date(autumn.due) }, 1)).toEqual([
      '2026-10-25T00:30:00.000Z',
    ]);
  });

  test('the end of a month stays its end, in words, and a rule leaves short months out', () => {
    const words = parse('every month', '2027-12-30');
    expect(upcoming(words.repeat, words.due, context)).toEqual(['2028-01-30', '2028-02-29', '2028-03-30']);
    const rule = parse('FREQ=MONTHLY', '2027-12-30');
    expect(upcoming(rule.repeat, rule.due, context)).toEqual(['2028-01-30', '2028-03-30', '2028-04-30']);
  });

  test('an end is included; one that is a time of day counts on the clocks of the user', () => {
    const at = (until: string) => parse(`FREQ=DAILY;UNTIL=${until}`, '2026-11-24T16:00:00.000Z').repeat.rule;
    expect(at('20261130')).toBe('FREQ=DAILY;UNTIL=20261130');
    expect(at('20261130T160000Z')).toBe('FREQ=DAILY;UNTIL=20261130');
    expect(at('20261130T155959Z')).toBe('FREQ=DAILY;UNTIL=20261129');
    expect(at('20261130T165959')).toBe('FREQ=DAILY;UNTIL=20261129');
  });

  test.each(['Europe/Paris', 'America/New_York'])(
    'an end with a time means its date where days are due: %s',
    (zone) => {
      const at = (until: string) =>
        parseRepeat(`FREQ=DAILY;UNTIL=${until}`, '2026-12-30', { now, timezone: zone }).repeat.rule;
      for (const until of ['20261231', '20261231T235959Z', '20261231T000000Z', '20261231T000000'])
        expect(at(until)).toBe('FREQ=DAILY;UNTIL=20261231');
    },
  );

  test.each([
    ['every day at 9', '1900-01-01', 'FREQ=DAILY', '2026-11-23T08:00:00.000Z'],
    ['every day at 18', '1900-01-01', 'FREQ=DAILY', '2026-11-22T17:00:00.000Z'],
    ['every 3 days at 9 for 4 times', '1900-01-01', 'FREQ=DAILY;INTERVAL=3;COUNT=4', '2026-11-23T08:00:00.000Z'],
    ['every 2 weeks at 9', '1900-01-02', 'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU', '2026-11-24T08:00:00.000Z'],
    ['every 2nd month at 9', '1900-01-25', 'FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=25', '2026-11-25T08:00:00.000Z'],
    [
      'monthly on the last business day at 9',
      '1900-01-01',
      'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1',
      '2026-11-30T08:00:00.000Z',
    ],
    ['every! 3 days at 9', '1900-01-01', 'FREQ=DAILY;INTERVAL=3', '2026-11-23T08:00:00.000Z'],
  ])('of "%s", starting long ago, no day that is past is looked at', (text, start, rule, due) => {
    const asked = vi.spyOn(rruleLibrary.get().prototype, 'between');
    const read = parse(`${text} starting ${start}`);
    const past = asked.mock.calls.filter(([from]) => (from as Date) < new Date('2026-11-22'));
    asked.mockRestore();
    expect([read.repeat.rule, read.due]).toEqual([rule, due]);
    expect(past).toEqual([]);
  });

  test('a rule that never or hardly ever comes costs little to find out', () => {
    const all = 'BYDAY=MO,TU,WE,TH,FR,SA,SU';
    const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1).join();
    const hostile = [
      'FREQ=YEARLY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29;BYDAY=FR',
      'FREQ=DAILY;INTERVAL=997;BYMONTH=2;BYMONTHDAY=29;BYDAY=FR',
      'FREQ=WEEKLY;INTERVAL=1000;BYMONTH=2;BYDAY=MO',
      `FREQ=MONTHLY;${all};BYSETPOS=200`,
      `FREQ=YEARLY;${all};BYMONTHDAY=1,2,3,4,5,6,7;BYYEARDAY=100`,
      `FREQ=YEARLY;${all};BYMONTHDAY=${upTo(28)};BYSETPOS=366`,
      `FREQ=YEARLY;BYWEEKNO=${upTo(20)};BYMONTH=12;BYDAY=SU`,
      `FREQ=YEARLY;BYWEEKNO=${upTo(53)};${all};COUNT=1000`,
      `FREQ=YEARLY;BYYEARDAY=${upTo(100)};COUNT=1000`,
      `FREQ=YEARLY;BYWEEKNO=20;${all};COUNT=1000`,
      `FREQ=WEEKLY;BYMONTH=1;${all};COUNT=1000`,
      'FREQ=DAILY;INTERVAL=1000;BYMONTH=1,2,3,4,5,6,7,8,9;COUNT=1000',
      `FREQ=YEARLY;INTERVAL=2;BYYEARDAY=366,${upTo(100)};BYDAY=SU`,
      'FREQ=YEARLY;INTERVAL=2;BYYEARDAY=366',
      `FREQ=MONTHLY;${all};BYMONTHDAY=${upTo(28)};BYSETPOS=29`,
      `FREQ=WEEKLY;INTERVAL=13;BYMONTH=2;${all}`,
      `FREQ=YEARLY;BYWEEKNO=53;${all};WKST=WE`,
      'FREQ=DAILY;INTERVAL=7;BYDAY=TU,WE,TH,FR,SA,SU;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17',
      'FREQ=DAILY;COUNT=1000',
      '9'.repeat(500),
      'every '.repeat(83),
      `FREQ=DAILY;BYMONTH=${'1,'.repeat(200)}1`,
    ];
    /** This process's own work; the least of three times, for the first runs are compiled on the way. */
    const cost = (work: () => void) => {
      const times = [1, 2, 3].map(() => {
        const before = process.cpuUsage();
        work();
        return process.cpuUsage(before).user;
      });
      return Math.min(...times);
    };
    const findOut = (text: string) => {
      try {
        const { repeat, due } = parse(text, text.includes('COUNT') ? '2002-01-01' : '1900-01-01');
        upcoming(repeat, due, context);
        next(repeat, due, '2026-11-23T12:00:00Z');
      } catch (error) {
        expect(error).toBeInstanceOf(Refusal);
      }
    };
    const plain = cost(() => {
      for (let i = 0; i < 100; i++) parse('FREQ=DAILY', '2002-01-01');
    });
    for (const text of hostile) expect([text, cost(() => findOut(text)) < 4 * plain]).toEqual([text, true]);
  });
});
