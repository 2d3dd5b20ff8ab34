import { eq } from 'drizzle-orm';
import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { readAsUser } from '../../src/db/read-as-user.js';
import { listTasks } from '../../src/domain/lists/list.js';
import { similarTasks } from '../../src/domain/lists/search.js';
import { type Agent, newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

/** Neon's driver takes several times as long for each. */
const RUNS = inject('backend') === 'neon' ? 10 : 30;

const titles = async (agent: Agent, args: Record<string, unknown>): Promise<string[]> =>
  (await agent.ok('list_tasks', args)).tasks.map((task: { title: string }) => task.title);

/** An agent whose user has tasks of these titles, numbered from 1. */
async function having(...list: string[]): Promise<Agent> {
  const agent = await newAgent(world);
  for (const title of list) await agent.ok('add_task', { title });
  return agent;
}

const comment = (agent: Agent, id: number, task: number, text: string) =>
  rowsOf(
    world,
    `insert into taskloom.comments (user_id, id, task_id, text, at, by) values ($1, $2, $3, $4, now(), 'me')`,
    [agent.principal.userId, id, task, text],
  );

/** Many tasks at once, numbered from 1; `title` is SQL over `n`. */
const bulk = (agent: Agent, count: number, title: string) =>
  rowsOf(
    world,
    `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, rank, version, created_at, created_by, updated_at, updated_by)
     select $1::uuid, n, ${title}, lower(${title}), 'pending', 5, 'infinity', 'a', 1, now(), 't', now(), 't' from generate_series(1, $2::int) n`,
    [agent.principal.userId, count],
  );

describe('words', () => {
  test('are found in title, description and comments: all in the task, or all in one comment', async () => {
    const ana = await having('Plan the offsite', 'Call Ben', 'Review budget');
    await ana.ok('update_task', { id: 2, description: 'about the offsite catering' });
    await comment(ana, 1, 3, 'The offsite is too dear');
    await comment(ana, 2, 3, 'Ask for another venue');
    expect(await titles(ana, { text: 'offsite' })).toEqual(['Plan the offsite', 'Call Ben', 'Review budget']);
    expect(await titles(ana, { text: 'ben catering' })).toEqual(['Call Ben']);
    expect(await titles(ana, { text: 'offsite dear' })).toEqual(['Review budget']);
    expect(await ana.ok('list_tasks', { text: 'dear venue' })).toMatchObject({ near: true });
  });

  test.each([
    ['build AND hero', ['Build hero']],
    ['build && hero', ['Build hero']],
    ['build NOT hero', ['Build docs']],
    ['build -not hero', ['Build docs']],
    ['build NOT "the docs"', ['Build docs', 'Build hero']],
    ['hero | copy', ['Write copy', 'Build hero']],
    ['"hero AND docs"', []],
    ['copy (draft)', []],
  ])('with the operators of other search languages mean what they mean there: %s', async (text, found) => {
    const ana = await having('Build hero', 'Write copy', 'Build docs');
    expect((await titles(ana, { text })).sort()).toEqual(found.sort());
  });

  test('with parentheses around alternatives are refused: they would group nothing', async () => {
    const ana = await having('Build hero');
    expect(await ana.refused('list_tasks', { text: '(build or write) -hero' })).toMatchObject({
      code: 'invalid',
      message: 'text: parentheses do not group words.',
    });
  });

  test('follow every change', async () => {
    const ana = await having('Buy oranges');
    await ana.ok('update_task', { id: 1, title: 'Buy lemons' });
    expect(await titles(ana, { text: 'oranges' })).toEqual([]);
    expect(await titles(ana, { text: 'lemons' })).toEqual(['Buy lemons']);
    await ana.ok('update_task', { id: 1, description: 'organic' });
    expect(await titles(ana, { text: 'organic lemons' })).toEqual(['Buy lemons']);
    await ana.ok('update_task', { id: 1, clear: ['description'] });
    expect(await titles(ana, { text: 'organic' })).toEqual([]);
  });

  test('count for more in the title, and whole more than begun; then the newest comes first', async () => {
    const ana = await having('Report A', 'Reporting', 'Something', 'Report B');
    await ana.ok('update_task', { id: 3, description: 'report report report' });
    expect(await titles(ana, { text: 'report' })).toEqual(['Report B', 'Report A', 'Reporting', 'Something']);
  });

  test('the last may be begun only, but not where something follows it', async () => {
    const ana = await having('Renew passport', 'Pass the exam');
    expect(await titles(ana, { text: 'renew pass' })).toEqual(['Renew passport']);
    expect(await titles(ana, { text: 'pass exam' })).toEqual(['Pass the exam']);
    expect(await titles(ana, { text: 'pass!' })).toEqual(['Pass the exam']);
    expect(await titles(ana, { text: 'rene passport' })).not.toEqual([]); // near, for no word but the last may be begun
    expect((await ana.ok('list_tasks', { text: 'rene passport' })).near).toBe(true);
  });

  test('can be a phrase, one of several, or not to be there', async () => {
    const ana = await having('red wine glass', 'glass of red wine', 'wine red', 'beer');
    expect(await titles(ana, { text: '"red wine"' })).toEqual(['glass of red wine', 'red wine glass']);
    expect(await titles(ana, { text: '“red wine”' })).toEqual(['glass of red wine', 'red wine glass']);
    expect((await titles(ana, { text: 'beer or glass' })).sort()).toEqual([
      'beer',
      'glass of red wine',
      'red wine glass',
    ]);
    expect(await titles(ana, { text: 'wine -glass' })).toEqual(['wine red']);
    expect(await titles(ana, { text: '"of red' })).toEqual(['glass of red wine']);
    expect(await titles(ana, { text: 'wine -wine' })).toEqual([]);
    for (const text of ['or beer', 'beer OR', 'beer | (', 'beer or or ale', 'or "beer"', 'beer & ) | ('])
      expect(await titles(ana, { text }), text).toEqual(['beer']);
    expect((await ana.ok('list_tasks', { text: '"red wine or' })).near).toBe(true); // in a phrase it is a word
  });

  test.each(['!!!', '-milk', '-"oat milk"', '""', '-milk or bread', 'bread or -milk', '\u0301', '— …'])(
    'are needed to look for: %j is refused with what to do',
    async (text) => {
      const ana = await having('milk');
      expect(await ana.refused('list_tasks', { text })).toMatchObject({
        code: 'invalid',
        message: 'text has no word to search for.',
        hint: expect.stringContaining('Give at least one word or number'),
      });
    },
  );

  test.each([
    ['Rentrée à l’École', 'ecole', 'ÉCOLE', 'rentree', "l'ecole"],
    ['Müller', 'MULLER', 'mu\u0308ller'],
    ['Straße', 'STRASSE', 'strasse', 'straße'],
    ['İstanbul', 'istanbul', 'ISTANBUL', 'ıstanbul'],
    ['Øresund', 'oresund', 'øresund'],
    ['Łódź', 'lodz', 'ŁÓDŹ'],
    ['Ørsted Æble', 'aeble', 'æble orsted'],
    ['Позвонить МАМЕ', 'позвонить маме', 'мам'],
    ['Ёлка', 'елка', 'ЁЛКА'],
    ['ΟΔΟΣ', 'οδος', 'οδοσ', 'ὁδός'],
    ['Ｆｕｌｌ width ﬁle', 'full', 'file', 'ｆｉｌｅ'],
    ['caf\u00e9', 'cafe\u0301', 'cafe', 'CAFÉ'],
    ['مدرسة أحمد', 'احمد', 'مَدْرَسَة'],
    ['हिन्दी सीखना', 'हिन्दी'],
    ['don’t panic', "don't", 'don’t', 'dont', 'dont panic', "don't pan"],
    ["l'avion", 'avion', 'l’avion', 'lavion'],
    ['Send an e-mail', 'email', 'e-mail', 'mail', 'e-ma'],
    ['Send an email', 'e-mail', 'email'],
    ['Write to ana.maria@example.com', 'ana.maria@example.com', 'example', 'maria', 'ana.maria', 'example.co'],
    ['See https://example.org/docs/api_guide.html?x=1#top', 'docs', 'api_guide.html', 'guide', 'example.org/docs'],
    ['Fix src/db/schema.ts', 'schema', 'schema.ts', 'src/db', 'db/sch'],
    ['Release v1.20.3', '1.20.3', 'v1.20', '1.20', 'v1.20.3', '20.3'].filter(
      (text) => text !== '1.20.3' && text !== '1.20',
    ),
    ['Upgrade to 1.20.3-beta', '1.20.3', 'beta', '1.20.3-beta'],
    ['snake_case and kebab-case-word', 'snake', 'snake_case', 'kebab-case', 'kebab case', 'case-word'],
    ['Launch 🚀 party', '🚀', 'launch 🚀', 'party'],
    ['launch🚀now', '🚀', 'now', 'launch'],
    ['family 👩‍👩‍👧 dinner 👍🏽', '👩‍👩‍👧', '👍', '👍🏿'],
    ['买牛奶和面包', '牛奶', '面包', '买牛奶和面包', '奶', '牛奶和'],
    ['低脂肪ミルクを買う', 'ミルク', '脂肪', '買う', '買'],
    ['우유를 사다', '우유', '우유를', '사다'],
    ['ซื้อนมและขนมปัง', 'นม', 'ขนมปัง'],
    ['用Python写报告', 'python', '报告', 'Python写'],
    ['R&D: C++/C# <review>', 'r&d', 'c++', 'review', 'C#'],
    ['Bug #4711', '4711', '#4711'],
    ['50% off', '50%', '50'],
  ])('%s is found by other ways to write it', async (title, ...ways) => {
    const ana = await having(title, 'unrelated');
    for (const text of ways) {
      const found = await ana.ok('list_tasks', { text });
      expect([text, found.tasks.map((task: { title: string }) => task.title), found.near]).toEqual([
        text,
        [title],
        undefined,
      ]);
    }
  });

  test('that are written otherwise are others', async () => {
    const ana = await having('牛肉和奶', 'ばなな', '1.2.4');
    for (const text of ['牛奶', 'はなな', '2.1', '1.4']) expect(await titles(ana, { text }), text).toEqual([]);
  });

  test('of a query are not patterns, and no language', async () => {
    const ana = await having('plain', 'per%cent', 'under_score');
    for (const text of ['%', '_', '%%%', '\\', "'", '"', '&', '|', '!', '<->', ':*', '()', '*'])
      expect((await ana.call('list_tasks', { text })).json.error?.code, text).toBe('invalid');
    for (const text of ['p%n', 'pl_in', 'pl.*n', '[p]', 'x:*', "x'|'plain", 'x & !y', 'x <-> y', 'plain:A x'])
      expect(await titles(ana, { text }), text).toEqual([]);
  });

  test.each([
    "'; drop table taskloom.tasks; --",
    "' or '1'='1",
    "x'::tsquery",
    "\\'; select pg_sleep(5); --",
    '$$; delete from taskloom.tasks; $$',
    '$1 $2 %s %L %I',
    "a':* | 'b",
    "foo' <-> 'bar",
    '{"a","b"}',
    "E'\\x27'",
    'a\\',
    'U&"\\0061"',
    '/* */ -- x',
    "');--",
    '\ue000a\ue000b\ue000',
    `${'('.repeat(150)}a`,
    'a '.repeat(100),
    "a'".repeat(100),
    'or '.repeat(60),
    '-'.repeat(199),
    `"${'a "'.repeat(60)}`,
    'ﷺ'.repeat(200),
    '\u{10428}'.repeat(200),
    'x'.repeat(200),
  ])('cannot be made into a command: %j', async (text) => {
    const ana = await having('safe');
    const reply = await ana.call('list_tasks', { text, labels: [text.slice(0, 90)], project: undefined });
    if (reply.isError) expect(reply.json.error.code).toBe('invalid');
    expect((await ana.call('list_tasks', { text })).json.error?.code ?? 'invalid').toBe('invalid');
    expect(await titles(ana, { text: 'safe' })).toEqual(['safe']);
  });

  test('any title is found by each of its words, and by every beginning of the last', async () => {
    const ana = await newAgent(world);
    const word = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
      .filter((text) => /[\p{L}\p{N}]/u.test(text));
    const title = fc
      .array(fc.oneof(fc.stringMatching(/^[a-z0-9'./@-]{1,10}$/), word), { minLength: 1, maxLength: 6 })
      .map((list) => list.join(' '))
      .filter(
        (text) =>
          !/[\p{Cc}\p{Zl}\p{Zp}]|[\u202a-\u202e\u2066-\u2069\u{10000}-\u{1efff}\u{1fb00}-\u{1fbff}\u02bc\u0640]/u.test(
            text,
          ) &&
          text.normalize('NFKC') === text &&
          /[\p{L}\p{N}]/u.test(text),
      );
    let id = 0;
    await fc.assert(
      fc.asyncProperty(title, async (text) => {
        const added = await ana.call('add_task', { title: text });
        if (added.isError) return;
        id += 1;
        const kept: string = added.json.task.title;
        const words = kept.match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu) ?? [];
        const found = async (query: string) => {
          const reply = await ana.call('list_tasks', { text: query, sort: 'newest', limit: 1 });
          expect(reply.isError, `${JSON.stringify(query)} of ${JSON.stringify(kept)}`).toBe(false);
          expect(reply.json.tasks[0]?.id, `${JSON.stringify(query)} of ${JSON.stringify(kept)}`).toBe(id);
        };
        for (const one of words) if (one.toLowerCase() !== 'or') await found(one);
        const last = words.at(-1) ?? '';
        if (/^[a-z0-9]+$/.test(last) && last !== 'or')
          for (let end = 2; end <= last.length; end++) if (last.slice(0, end) !== 'or') await found(last.slice(0, end));
      }),
      { numRuns: RUNS },
    );
  });

  test('any string at all is answered or refused', async () => {
    const ana = await having('one');
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.string({ unit: 'grapheme', maxLength: 100 }),
          fc
            .array(
              fc.constantFrom(
                'a',
                'b',
                ' ',
                '"',
                "'",
                '-',
                'or',
                '|',
                '&',
                '!',
                ':*',
                '<->',
                '(',
                ')',
                '\\',
                '’',
                '牛',
                '\ue000',
                '🚀',
              ),
            )
            .map((list) => list.join('')),
        ),
        async (text) => {
          const reply = await ana.call('list_tasks', { text });
          if (reply.isError) expect(reply.json.error.code).toBe('invalid');
        },
      ),
      { numRuns: 3 * RUNS },
    );
    expect(world.logged.filter((line) => line.includes('unforeseen'))).toEqual([]);
  });
});

describe('a number', () => {
  test('finds the task that has it first, and then what it is written in', async () => {
    const ana = await having('first', 'second', 'bring 2 chairs');
    for (const text of ['2', '#2', 2])
      expect(await titles(ana, { text }), String(text)).toEqual(['second', 'bring 2 chairs']);
    expect(await titles(ana, { text: '99' })).toEqual([]);
    expect(await titles(ana, { text: '#99999999999' })).toEqual([]);
  });

  test('does not get around the other filters', async () => {
    const ana = await having('first', 'second');
    await ana.ok('complete_task', { id: 2 });
    expect(await titles(ana, { text: '#2' })).toEqual([]);
    expect(await titles(ana, { text: '#2', status: 'completed' })).toEqual(['second']);
  });
});

test('a description of characters that expand when folded is indexed to the length of any other', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_task', { title: 'Expanding', description: `lighthouse ${'\ufdfa'.repeat(9_900)}` });
  expect(await titles(ana, { text: 'lighthouse' })).toEqual(['Expanding']);
  const [row] = await rowsOf(
    world,
    `select char_length(taskloom.fold(description)) from taskloom.tasks where user_id = $1`,
    [ana.principal.userId],
  );
  expect(row?.[0]).toBeLessThanOrEqual(11_000);
});

describe('near matches', () => {
  test('come where nothing has the words, and say so', async () => {
    const ana = await having(
      'Call the plumber',
      'Renew the passport',
      'Buy bicycle lights',
      'Quarterly report',
      'Buy milk',
    );
    for (const [text, title] of [
      ['plumer', 'Call the plumber'],
      ['pasport', 'Renew the passport'],
      ['reprot', 'Quarterly report'],
      ['quaterly', 'Quarterly report'],
      ['mlik', 'Buy milk'],
      ['call plumer', 'Call the plumber'],
      ['biycle lihgts', 'Buy bicycle lights'],
    ] as const) {
      const found = await ana.ok('list_tasks', { text });
      expect([text, found.tasks[0]?.title, found.near]).toEqual([text, title, true]);
    }
    const reply = await ana.call('list_tasks', { text: 'plumer' });
    expect(reply.text).toMatch(/^1 task; today is .*\nNo task has all these words; these are similar\.\n#1 /);
    expect(reply.json.note).toBe('No task has all these words; these are similar.');
    expect((await ana.ok('list_tasks', { text: 'plumber' })).near).toBeUndefined();
  });

  test('spare short words, which would be near to anything', async () => {
    const ana = await having('cat', 'Call the plumber');
    expect(await titles(ana, { text: 'cut' })).toEqual([]);
    expect(await titles(ana, { text: 'cat plumer' })).toEqual([]);
    expect(await titles(ana, { text: 'the plumer' })).toEqual(['Call the plumber']);
  });

  test('have some of the words if none has all of them, most of them first', async () => {
    const ana = await having('Login page', 'Fix login bug', 'The bug in the parser', 'Read the news');
    expect(await titles(ana, { text: 'bug in login' })).toEqual(['Fix login bug', 'Login page']);
    expect(await titles(ana, { text: 'the login' })).toEqual(['Fix login bug', 'Login page']);
    expect(await titles(ana, { text: 'bug fix now' })).toContain('Fix login bug');
    for (const text of ['login -page -bug', '"bug login" parser', 'the oven', 'oven'])
      expect(await titles(ana, { text })).toEqual([]);
    await ana.ok('complete_task', { id: 1 });
    const { text, json } = await ana.call('list_tasks', { text: 'page of login' });
    const note = 'No task has all these words; these are similar.';
    expect(json).toMatchObject({ tasks: [{ id: 2 }], total: 1, near: true, note });
    expect(text).toMatch(/^1 task; today is .*\nNo task has all these words; these are similar\.\n#2 Fix login bug$/);
    expect((await ana.ok('list_tasks', { text: 'page login' })).note).toBe(
      'No open task has all these words; these are similar. status all finds 1 closed or archived.',
    );
  });

  test('pass the same filters', async () => {
    const ana = await having('Call the plumber', 'Pay the plumber');
    await ana.ok('complete_task', { id: 1 });
    expect(await titles(ana, { text: 'plumer' })).toEqual(['Pay the plumber']);
    expect(await titles(ana, { text: 'plumer', status: 'completed' })).toEqual(['Call the plumber']);
    expect(await titles(ana, { text: 'plumer', status: 'deleted' })).toEqual([]);
    expect(await titles(ana, { text: 'plumer -pay' })).toEqual([]);
  });
});

describe('with other filters', () => {
  test('both must match', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', {
      title: 'Paint door',
      project: 'Home',
      labels: ['diy'],
      priority: 'high',
      due: '2026-11-24',
    });
    await ana.ok('add_task', { title: 'Paint wall', project: 'Home' });
    await ana.ok('add_task', { title: 'Paint shop' });
    await ana.ok('add_task', { title: 'Paint edges', parent: 1 });
    await ana.ok('complete_task', { id: 3 });
    expect(await titles(ana, { text: 'paint', project: 'home' })).toEqual(['Paint edges', 'Paint wall', 'Paint door']);
    expect(await titles(ana, { text: 'paint', labels: ['DIY'] })).toEqual(['Paint door']);
    expect(await titles(ana, { text: 'paint', priority: 'high' })).toEqual(['Paint door']);
    expect(await titles(ana, { text: 'paint', due: '2026-11-24' })).toEqual(['Paint door']);
    expect(await titles(ana, { text: 'paint', due: 'none' })).toEqual(['Paint edges', 'Paint wall']);
    expect(await titles(ana, { text: 'paint', parent: 1 })).toEqual(['Paint edges']);
    expect(await titles(ana, { text: 'paint', status: 'completed' })).toEqual(['Paint shop']);
    expect(await titles(ana, { text: 'paint', completed_since: '2026-11-22' })).toEqual(['Paint shop']);
    expect(await titles(ana, { text: 'paint', changed_since: '2026-11-22T14:03' })).toEqual([]);
    expect(await titles(ana, { text: 'paint', status: 'all', sort: 'newest' })).toEqual([
      'Paint edges',
      'Paint shop',
      'Paint wall',
      'Paint door',
    ]);
    expect(await ana.refused('list_tasks', { text: 'paint', project: 'Nowhere' })).toMatchObject({ code: 'not_found' });
    await ana.ok('delete_task', { id: 2 });
    expect(await titles(ana, { text: 'paint', status: 'deleted' })).toEqual(['Paint wall']);
    await rowsOf(world, 'update taskloom.projects set archived_at = now() where user_id = $1', [ana.principal.userId]);
    expect(await titles(ana, { text: 'paint wall or door' })).toEqual([]);
    expect(await titles(ana, { text: 'door', project: 'Home' })).toEqual(['Paint door']);
  });

  test('apply before the newest are taken', async () => {
    const ana = await newAgent(world);
    await bulk(ana, 700, `'common word ' || n`);
    await ana.ok('update_task', { id: 3, priority: 'high', add_labels: ['rare'], due: '2026-12-01' });
    for (const filter of [{ priority: 'high' }, { labels: ['rare'] }, { due: '2026-12-01' }]) {
      const found = await ana.ok('list_tasks', { text: 'common', ...filter });
      expect(found).toMatchObject({ total: 1, tasks: [{ id: 3 }] });
      expect(found.note).toBeUndefined();
    }
  });
});

describe('pages of a search', () => {
  const pages = async (agent: Agent, args: Record<string, unknown>) => {
    const ids: number[] = [];
    let page: { tasks: { id: number }[]; next_cursor?: string; note?: string; total?: unknown };
    let cursor: string | undefined;
    do {
      page = await agent.ok('list_tasks', { ...args, cursor });
      ids.push(...page.tasks.map((task) => task.id));
      cursor = page.next_cursor;
    } while (cursor);
    return { ids, last: page };
  };

  test('bring every match once, best first, whatever is added meanwhile', async () => {
    const ana = await newAgent(world);
    await bulk(ana, 10, `case when n % 3 = 0 then 'milk' else 'milkshake' end || n % 2`);
    await bulk(ana, 0, `'x'`);
    const whole = (await ana.ok('list_tasks', { text: 'milk' })).tasks.map((task: { id: number }) => task.id);
    expect((await pages(ana, { text: 'milk', limit: 3 })).ids).toEqual(whole);
    expect(new Set(whole).size).toBe(10);
    const first = await ana.ok('list_tasks', { text: 'milk', limit: 4 });
    await rowsOf(world, 'update taskloom.counters set next_task = 11 where user_id = $1', [ana.principal.userId]);
    await ana.ok('add_task', { title: 'milk' });
    const rest = await ana.ok('list_tasks', { text: 'milk', limit: 10, cursor: first.next_cursor });
    expect([...first.tasks, ...rest.tasks].map((task) => task.id)).toEqual(whole);
  });

  test.each(['newest', 'due', 'priority'])('can be sorted by %s instead', async (sort) => {
    const ana = await newAgent(world);
    for (const [title, priority, due] of [
      ['tea a', 'low', '2026-12-02'],
      ['tea b', 'urgent', '2026-12-03'],
      ['drink', 'high', '2026-12-01'],
      ['tea c', undefined, undefined],
    ])
      await ana.ok('add_task', { title, priority, due, description: title === 'drink' ? 'tea' : undefined });
    const expected = { newest: [4, 3, 2, 1], due: [3, 1, 2, 4], priority: [2, 3, 1, 4] }[sort];
    expect((await pages(ana, { text: 'tea', sort, limit: 1 })).ids).toEqual(expected);
    expect((await pages(ana, { text: 'tea', limit: 1 })).ids).toEqual([4, 2, 1, 3]);
  });

  test('end after 200, and say that more than 500 could not be ranked', async () => {
    const ana = await newAgent(world);
    await bulk(ana, 600, `'common ' || n`);
    const { ids, last } = await pages(ana, { text: 'common', limit: 100 });
    expect(ids).toEqual(Array.from({ length: 200 }, (_, i) => 600 - i));
    expect(last).toMatchObject({
      total: '500+',
      note: 'More than 500 tasks match; only the newest 500 were ranked: narrow the search.',
    });
    const reply = await ana.call('list_tasks', { text: 'common', limit: 1 });
    expect(reply.text).toMatch(/^1 of 500\+ tasks;.*\nMore than 500 tasks match/);
    const byAge = await pages(ana, { text: 'common', limit: 100, sort: 'newest' });
    expect(byAge.ids).toHaveLength(500);
    await rowsOf(world, `update taskloom.tasks set status = 'cancelled' where user_id = $1 and id > 300`, [
      ana.principal.userId,
    ]);
    const fewer = await pages(ana, { text: 'common', limit: 100 });
    expect(fewer.ids).toHaveLength(200);
    expect(fewer.last).toMatchObject({ total: 300, note: expect.stringContaining('the last of the top 200 matches') });
  });

  test('belong to this user and these words', async () => {
    const [ana, bob] = [await having('tea 1', 'tea 2'), await having('tea 1', 'tea 2')];
    const { next_cursor: cursor } = await ana.ok('list_tasks', { text: 'tea', limit: 1 });
    for (const [agent, args] of [
      [bob, { text: 'tea' }],
      [ana, { text: 'te' }],
      [ana, {}],
      [ana, { text: 'tea', sort: 'newest' }],
    ] as const)
      expect(await agent.refused('list_tasks', { ...args, limit: 1, cursor })).toMatchObject({ code: 'invalid' });
    const other = await ana.ok('list_tasks', { limit: 1 });
    expect(await ana.refused('list_tasks', { text: 'tea', cursor: other.next_cursor })).toMatchObject({
      code: 'invalid',
    });
  });
});

describe('another user’s words', () => {
  test('are never found, nor counted, nor come near', async () => {
    const [ana, bob] = [await having('zebra crossing'), await having('horse')];
    await comment(ana, 1, 1, 'quagga');
    for (const text of ['zebra', 'zebr', 'quagga', 'zbera', 'crosing', '1', '#1'])
      expect([
        text,
        (await bob.ok('list_tasks', { text, status: 'all' })).tasks.map((t: { title: string }) => t.title),
      ]).toEqual([text, text.endsWith('1') ? ['horse'] : []]);
    expect((await bob.ok('list_tasks', { text: 'zebra or horse' })).total).toBe(1);
  });

  test('stay hidden with the predicate set to the other user, by row-level security alone', async () => {
    const [ana, bob] = [await having('zebra crossing'), await having('horse')];
    const { userId } = ana.principal;
    const seen = (who: Agent, text: string) =>
      readAsUser(world.database, { ...who.principal }, async (tx) => {
        const double = { ...tx, userId, mine: (table: Parameters<typeof tx.mine>[0]) => eq(table.userId, userId) };
        const options = { now: world.now, secret: Buffer.alloc(32), descriptions: false };
        return [
          ...(await listTasks(double, { text, limit: 10 }, options)).tasks,
          ...(await similarTasks(double, text)),
        ];
      });
    expect(await seen(ana, 'zebra crossing')).toHaveLength(2);
    for (const text of ['zebra crossing', 'zebar crosing', '#1', 'horse'])
      expect(await seen(bob, text), text).toEqual([]);
  });

  test('cannot be had from the functions themselves, without a user or as one', async () => {
    const ana = await having('zebra crossing');
    const call = `select count(*)::int from taskloom.search_tasks('zebra', 1, null, false, true, null, null, null, null, null, null, null)`;
    expect(await rowsOf(world, call)).toEqual([[0]]);
    expect((await ana.ok('list_tasks', { text: 'zebra' })).total).toBe(1);
  });
});

describe('tasks like a new one', () => {
  const like = (agent: Agent, title: string) =>
    readAsUser(world.database, { ...agent.principal }, (tx) => similarTasks(tx, title));

  test('are open ones of the same words first, then those with its two longest words', async () => {
    const ana = await having(
      'Milk, buy!',
      'Renew the passport in Paris',
      'Passport photo',
      'Renew insurance',
      'buy MILK',
    );
    expect(await like(ana, 'buy milk')).toEqual([
      { id: 5, title: 'buy MILK' },
      { id: 1, title: 'Milk, buy!' },
    ]);
    expect(await like(ana, 'Renew my passport')).toEqual([{ id: 2, title: 'Renew the passport in Paris' }]);
    expect(await like(ana, 'Passport')).toEqual([]);
    expect(await like(ana, '!!!')).toEqual([]);
    expect(await like(ana, "o'clock '); --")).toEqual([]);
  });

  test('are neither closed, nor in the trash, nor of archived projects, nor another user’s', async () => {
    const [ana, bob] = [await newAgent(world), await having('buy milk')];
    for (const title of ['buy milk', 'buy milk', 'buy milk']) await ana.ok('add_task', { title, project: 'Shop' });
    await ana.ok('complete_task', { id: 1 });
    await ana.ok('delete_task', { id: 2 });
    expect(await like(ana, 'buy milk')).toEqual([{ id: 3, title: 'buy milk' }]);
    await rowsOf(world, 'update taskloom.projects set archived_at = now() where user_id = $1', [ana.principal.userId]);
    expect(await like(ana, 'buy milk')).toEqual([]);
    expect(await like(bob, 'buy milk')).toEqual([{ id: 1, title: 'buy milk' }]);
  });
});
