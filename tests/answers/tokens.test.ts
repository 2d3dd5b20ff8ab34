import fc from 'fast-check';
import { encode as cl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { encode as o200k } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, test } from 'vitest';
import { costsAtMost, estimateTokens } from '../../src/answers/tokens.js';

/** What the dearer of both encodings makes of it. */
const real = (text: string) => Math.max(o200k(text).length, cl100k(text).length);

/** One character of a range of code points. */
const range = (from: number, to: number) =>
  fc.integer({ min: from, max: to }).map((code) => String.fromCodePoint(code));
const anyOf = (characters: string) => fc.constantFrom(...characters);

const small = 'abcdefghijklmnopqrstuvwxyz';
const letters = small + small.toUpperCase();
const digits = '0123456789';
const LATIN = fc.oneof(
  { weight: 5, arbitrary: anyOf(small) },
  { weight: 1, arbitrary: anyOf(letters.slice(26)) },
  { weight: 1, arbitrary: anyOf(' ,.-') },
);
const withLatin = (characters: string) =>
  fc.oneof({ weight: 4, arbitrary: LATIN }, { weight: 1, arbitrary: anyOf(characters) });
const words = (letter: fc.Arbitrary<string>) =>
  fc
    .array(fc.string({ unit: letter, minLength: 1, maxLength: 12, size: 'max' }), { maxLength: 30, size: 'max' })
    .map((each) => each.join(' '));
const FAMILY = ['👨‍👩‍👧‍👦', '👩🏽‍💻', '🏳️‍🌈', '❤️‍🔥', '🇫🇷', '🧑🏿‍🚀', '✅', '☎️', '1️⃣', '🫠'];

const SCRIPTS: Record<string, fc.Arbitrary<string>> = {
  English: LATIN,
  German: withLatin('äöüßÄÖÜ„“'),
  French: withLatin('àâæçéèêëîïôœùûüÿ«»’'),
  Turkish: withLatin('çğıöşüÇĞİÖŞÜ'),
  Polish: withLatin('ąćęłńóśźżŁŚŻ'),
  Vietnamese: withLatin('ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệ'),
  'any Latin': range(0xa0, 0x24f),
  Russian: range(0x410, 0x44f),
  Cyrillic: range(0x400, 0x52f),
  Greek: range(0x386, 0x3ff),
  'old Greek': range(0x1f00, 0x1fff),
  Armenian: range(0x531, 0x587),
  Hebrew: range(0x591, 0x5f4),
  Arabic: range(0x600, 0x6ff),
  Hindi: range(0x900, 0x97f),
  'other Indic': range(0x980, 0xdff),
  Thai: range(0xe01, 0xe5b),
  Georgian: range(0x10a0, 0x10ff),
  Chinese: range(0x4e00, 0x9fff),
  'rare Chinese': fc.oneof(range(0x3400, 0x4dbf), range(0x20000, 0x2a6df)),
  Japanese: fc.oneof(range(0x3000, 0x30ff), range(0x4e00, 0x9fff), range(0xff00, 0xffef)),
  Korean: range(0xac00, 0xd7a3),
  emoji: fc.oneof(range(0x1f300, 0x1faff), range(0x2600, 0x27bf), fc.constantFrom(...FAMILY)),
  'combining marks': fc.oneof(anyOf('aeioun'), range(0x300, 0x36f), anyOf('\u200d\ufe0f')),
  'signs and mathematics': fc.oneof(range(0x2000, 0x2bff), range(0x1d400, 0x1d7ff)),
};
const ASCII: Record<string, fc.Arbitrary<string>> = {
  letters: anyOf(letters),
  'small letters': anyOf(small),
  capitals: anyOf(letters.slice(26)),
  hex: anyOf(`${digits}abcdef`),
  'capital hex': anyOf(`${digits}ABCDEF`),
  base64: anyOf(`${letters}${digits}+/`),
  digits: anyOf(digits),
  punctuation: anyOf('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'),
  'all of ASCII': range(0x20, 0x7e),
  'white space': anyOf(' \n\t'),
};
const MIXED = fc.oneof(...Object.values(SCRIPTS), ...Object.values(ASCII));

const day = fc
  .date({ min: new Date('1990-01-01'), max: new Date('2090-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
const when = fc.oneof(
  day.map((iso) => iso.slice(0, 10)),
  fc.tuple(day, fc.constantFrom('Z', '+01:00', '-09:30', '+05:45')).map(([iso, zone]) => iso.slice(0, 16) + zone),
);
const title = fc.oneof(...Object.values(SCRIPTS).map(words)).map((text) => text.slice(0, 200).toWellFormed());
const task = fc.record(
  {
    id: fc.integer({ min: 1, max: 2_147_483_647 }),
    title,
    status: fc.constantFrom('in_progress', 'completed', 'cancelled'),
    due: when,
    start: when,
    priority: fc.constantFrom('urgent', 'high', 'medium', 'low'),
    estimate_minutes: fc.integer({ min: 1, max: 100_000 }),
    project: title,
    labels: fc.array(title, { maxLength: 4 }),
    description: title,
    created: when,
  },
  { requiredKeys: ['id', 'title'] },
);

test('a text that is not counted, for it is short, is estimated at no more', () => {
  const text = fc.oneof(MIXED, fc.string({ unit: 'binary' }), ...Object.values(ASCII).map(words));
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 500 }), (text, budget) => {
      expect(costsAtMost(text, budget)).toBe(estimateTokens(text) <= budget);
    }),
    { numRuns: 2000 },
  );
});

const costsNoMore = (texts: fc.Arbitrary<string>, numRuns: number) =>
  fc.assert(
    fc.property(texts, (text) => {
      const cost = real(text);
      const estimate = estimateTokens(text);
      if (estimate < cost) throw new Error(`${estimate} instead of ${cost}: ${JSON.stringify(text)}`);
    }),
    { numRuns },
  );

/** Text of one character repeated, or of many, short and long, as one word or as many. */
const texts = (letter: fc.Arbitrary<string>) =>
  fc.oneof(
    fc.string({ unit: letter, maxLength: 20 }),
    fc.string({ unit: letter, maxLength: 400, size: 'max' }),
    words(letter),
  );

describe('the estimate of tokens', () => {
  for (const [script, letter] of Object.entries({ ...SCRIPTS, ...ASCII, 'all scripts': MIXED }))
    test(`is never below what it costs: ${script}`, () => costsNoMore(texts(letter), 150));

  test('is never below what it costs: one character many times', () => {
    const run = fc.tuple(MIXED, fc.integer({ min: 1, max: 1000 })).map(([letter, times]) => letter.repeat(times));
    costsNoMore(run, 200);
  });

  test('is never below what it costs: addresses, dates, identifiers', () => {
    costsNoMore(fc.oneof(fc.webUrl({ withFragments: true, withQueryParameters: true }), fc.emailAddress()), 500);
    costsNoMore(fc.oneof(fc.uuid(), when, fc.ipV6(), fc.base64String()), 500);
  });

  test('is never below what it costs: JSON, ours and any', () => {
    costsNoMore(
      fc.array(task, { maxLength: 12 }).map((tasks) => JSON.stringify({ tasks, total: tasks.length })),
      200,
    );
    costsNoMore(fc.json(), 300);
  });

  test('is close for our own answers', () => {
    const [json, text] = [JSON.stringify({ tasks: errands, total: 132, next_cursor: `c${'483'.repeat(15)}` }), asLines];
    expect(estimateTokens(json) / o200k(json).length).toBeLessThan(1.35);
    expect(estimateTokens(text) / o200k(text).length).toBeLessThan(1.35);
  });

  test('is not far off for prose', () => {
    for (const [text, most] of PROSE)
      expect(estimateTokens(text.repeat(20)) / real(text.repeat(20)), text).toBeLessThan(most);
  });
});

const TITLES = [
  'Renew the passport',
  'Call the dentist about the appointment',
  'Buy milk and bread',
  'Prepare slides for the quarterly review',
  'Book train tickets to Lyon',
  'Fix the leaking tap in the kitchen',
  'Review the change that retries on a timeout',
];
const errands = Array.from({ length: 25 }, (_, i) => ({
  id: 131 - i,
  title: TITLES[i % TITLES.length],
  ...(i % 2 && { due: i % 3 ? '2026-11-24' : '2026-11-24T17:00+01:00' }),
  ...(i % 3 === 0 && { priority: 'high' }),
  ...(i % 2 === 0 && { project: 'Home' }),
  ...(i % 4 === 0 && { labels: ['errand', 'phone'] }),
}));
const asLines = errands
  .map(({ id, title }) => `#${id} ${title} · due Tue 24 Nov 17:00 · high +Home @errand`)
  .join('\n');

const PROSE: [string, number][] = [
  ['The landlord wants both copies signed before Friday, so bring them along and ask about the broken window. ', 1.7],
  ['Bitte die Unterlagen bis Freitag unterschreiben und beim Vermieter wegen des Fensters nachfragen. ', 1.7],
  ['Il faut signer les deux exemplaires avant vendredi et demander au propriétaire de réparer la fenêtre. ', 1.7],
  ['Нужно подписать оба экземпляра до пятницы и спросить хозяина про разбитое окно. ', 2.2],
  ['请在星期五之前签好两份合同，并问房东窗户什么时候修。', 1.7],
  ['金曜日までに二通とも署名して、大家さんに窓の修理について聞いてください。', 1.7],
];
