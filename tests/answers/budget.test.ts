import fc from 'fast-check';
import { encode as cl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { encode as o200k } from 'gpt-tokenizer/encoding/o200k_base';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Agent, newAgent, type Reply, useWorld } from '../support/harness.js';

const world = useWorld();

const cost = (text: string) => Math.max(o200k(text).length, cl100k(text).length);
const budgets = fc.oneof(fc.integer({ min: 50, max: 400 }), fc.integer({ min: 50, max: 5000 }));

const SENTENCES = [
  'Ask the landlord about the broken window, and bring both signed copies along. ',
  'Die Unterlagen bis Freitag unterschreiben und zum Bürgeramt bringen. ',
  'Réserver le train, prévenir l’hôtel et imprimer les billets. ',
  'Kira sözleşmesini imzala, öğleden sonra bankaya uğra. ',
  'Позвонить врачу и спросить про анализы, потом забрать посылку. ',
  'Να πληρώσω το ενοίκιο και να πάρω τηλέφωνο τον υδραυλικό. ',
  'اتصل بالطبيب واسأل عن موعد الأسبوع القادم. ',
  'להתקשר לרופא ולברר מתי אפשר לקבוע תור. ',
  'डॉक्टर को फ़ोन करके अगली मुलाक़ात का समय पूछो। ',
  'โทรหาหมอแล้วถามเรื่องนัดครั้งต่อไป ',
  '请在星期五之前签好合同，并问房东窗户的事。',
  '金曜日までに契約書に署名して、大家さんに連絡する。',
  '금요일까지 계약서에 서명하고 집주인에게 전화하기. ',
  '👩‍💻🏳️‍🌈 ship it 🚀🎉 ',
  '{"id": 7, "sha": "b83ecb68c215dc7a48f6ab081f648d981a13"}\n```ts\nconst x = a?.[0] ?? 1;\n```\n',
];
const sentence = (i: number) => SENTENCES[i % SENTENCES.length] as string;
const COUNT = 30;
const PARENT = COUNT + 1;
const CHILDREN = 12;

let ana: Agent;

/** Tasks of all kinds, in many scripts; the last has sub-tasks. */
beforeAll(async () => {
  ana = await newAgent(world);
  for (let i = 0; i < COUNT; i++)
    await ana.ok('add_task', {
      title: [
        ...sentence(i)
          .replace(/[\n\t]/g, ' ')
          .trim(),
      ]
        .slice(0, 60)
        .join(''),
      ...(i % 3 && { description: sentence(i + 1).repeat(1 + ((i * i) % 17)) }),
      ...(i % 2 && { due: i % 4 === 1 ? '2026-11-20' : '2026-11-22T20:00', priority: 'high' }),
      project: `${[...sentence(i)]
        .slice(0, 12)
        .join('')
        .replace(/[\n\t{}"]/g, '')} ${i}`,
      labels: ['errand'],
    });
  await ana.ok('add_task', { title: 'Everything', priority: 'low', description: `${'𝕬𝖇🚀'.repeat(3000)}` });
  for (let i = 0; i < CHILDREN; i++)
    await ana.ok('add_task', { title: `Part ${sentence(i).slice(0, 20)}`, parent: PARENT });
}, 120_000);

/** What must hold of any answer, whatever its budget: within it or at the floor, and both channels say what is missing. */
function check(reply: Reply, budget: number, floor: boolean) {
  expect(reply.isError, reply.text).toBe(false);
  if (!floor) {
    expect(cost(reply.text)).toBeLessThanOrEqual(budget);
    expect(cost(JSON.stringify(reply.json))).toBeLessThanOrEqual(budget);
  }
  const said = reply.text.split('\n').at(-1) as string;
  const named = said.startsWith('Left out to stay within ');
  expect(reply.json.omitted).toBe(named ? said : undefined);
}

type Shown = { id: number; title: string };
/** Whether that is the least an answer may show: one task, by its number and title. */
const isLeast = (tasks: Shown[]) => tasks.length <= 1 && tasks.every((task) => Object.keys(task).join() === 'id,title');

const property = (numRuns: number, of: (budget: number) => Promise<void>) =>
  fc.assert(fc.asyncProperty(budgets, of), { numRuns });

describe('an answer within max_tokens', () => {
  test('list_tasks shows less of each task, then fewer, and says so', () =>
    property(25, async (max_tokens) => {
      for (const detail of ['ids', 'compact', 'full']) {
        const reply = await ana.call('list_tasks', { status: 'all', detail, limit: 100, max_tokens });
        const { tasks, total, next_cursor, omitted } = reply.json;
        check(reply, max_tokens, isLeast(tasks));
        expect(total).toBe(COUNT + 1 + CHILDREN);
        expect(next_cursor === undefined).toBe(tasks.length === total);
        if (tasks.length < total) expect(omitted).toContain(`${total - tasks.length} more on this page`);
        const brief = tasks.every((task: Shown) => Object.keys(task).join() === 'id,title');
        if (brief && detail !== 'ids') expect(omitted).toContain('all but ids and titles');
        else if (detail === 'full' && !tasks[0].created) expect(omitted).toContain('descriptions and times');
        // One detail for all rows.
        expect(new Set(tasks.map((task: object) => 'created' in task)).size).toBe(1);
      }
    }));

  test('pages of list_tasks show every task once, however small the budget', () =>
    property(6, async (max_tokens) => {
      for (const sort of ['newest', 'due', 'priority']) {
        const seen: number[] = [];
        let cursor: string | undefined;
        do {
          const page = await ana.ok('list_tasks', { status: 'all', sort, max_tokens, limit: 20, cursor });
          seen.push(...page.tasks.map((task: Shown) => task.id));
          cursor = page.next_cursor;
        } while (cursor);
        expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: COUNT + 1 + CHILDREN }, (_, i) => i + 1));
      }
    }));

  test('get_task shows the first asked for whole as far as they fit, and names what it leaves out', () =>
    property(30, async (max_tokens) => {
      const ids = [3, PARENT, 8, 900, 14, 6, 17];
      const reply = await ana.call('get_task', { ids, max_tokens });
      const { tasks, total, failed, omitted } = reply.json;
      check(reply, max_tokens, isLeast(tasks));
      expect([total, failed.length]).toEqual([6, 1]);
      const there = ids.filter((id) => id !== 900);
      expect(tasks.map((task: Shown) => task.id)).toEqual(there.slice(0, tasks.length));
      const worth = tasks.map((task: object) => ('version' in task ? 2 : Object.keys(task).length > 2 ? 1 : 0));
      expect(worth).toEqual(worth.toSorted((a: number, b: number) => b - a));
      for (const [i, id] of there.entries()) if ((worth[i] ?? 0) < 2) expect(omitted).toMatch(new RegExp(`#${id}\\b`));
    }));

  test('a task too large for it is cut at a character, and both channels say how much is missing', () =>
    property(25, async (max_tokens) => {
      const reply = await ana.call('get_task', { id: PARENT, max_tokens });
      const { task } = reply.json;
      check(reply, max_tokens, isLeast([task]));
      const description = '𝕬𝖇🚀'.repeat(3000);
      if (task.description === undefined) {
        expect(reply.json.omitted).toContain(` of #${PARENT}.`);
        return;
      }
      const kept = task.description.replace(/…$/, '');
      expect(description.startsWith(kept) && kept.isWellFormed()).toBe(true);
      const gone = 9000 - [...kept].length;
      expect(reply.json.omitted).toContain(`${gone} of 9000 characters of the description of #${PARENT}`);
      expect(reply.text).toContain(`${gone} of 9000 characters of the description of #${PARENT}`);
      const children = task.subtasks?.length ?? 0;
      if (children < CHILDREN)
        expect(reply.json.omitted).toContain(`${CHILDREN - children} of 12 sub-tasks of #${PARENT}`);
    }));

  test('get_overview keeps its counts and shows fewer tasks', () =>
    property(20, async (max_tokens) => {
      const reply = await ana.call('get_overview', { max_tokens });
      const { overdue = [], today = [], counts, omitted } = reply.json;
      check(reply, max_tokens, overdue.length + today.length === 0);
      expect(counts).toMatchObject({ open: COUNT + 1 + CHILDREN, overdue: 8, today: 7 });
      const left = 15 - overdue.length - today.length;
      if (left > 0) expect(omitted).toContain(`: ${left} ${left === 1 ? 'task' : 'tasks'}.`);
      expect(reply.text).toContain('8 overdue, 7 still due today');
    }));

  test('list_projects shows fewer, and how many there are', () =>
    property(20, async (max_tokens) => {
      const reply = await ana.call('list_projects', { max_tokens });
      const { projects, total = projects.length, omitted } = reply.json;
      check(reply, max_tokens, projects.length <= 1);
      expect(total).toBe(COUNT);
      if (projects.length < total) expect(omitted).toContain(`: ${total - projects.length} projects; labels.`);
    }));

  test('is not made longer by saying what was left out', async () => {
    const few = await newAgent(world);
    await few.ok('add_task', { title: 'One', due: '2026-11-22' });
    const whole = await few.call('get_overview');
    expect((await few.call('get_overview', { max_tokens: 50 })).json).toEqual(whole.json);
  });

  test('nothing is left out, and nothing said of it, where all fits', async () => {
    for (const [tool, args] of [
      ['list_tasks', { limit: 10, detail: 'compact' }],
      ['get_task', { ids: [1, 4] }],
      ['get_overview', {}],
      ['list_projects', {}],
    ] as const)
      expect((await ana.ok(tool, args)).omitted, tool).toBeUndefined();
  });

  test('a budget out of bounds is refused', async () => {
    for (const max_tokens of [49, 20_001, 'many'])
      expect(await ana.refused('get_overview', { max_tokens })).toMatchObject({ code: 'invalid' });
  });
});
