import { describe, expect, test } from 'vitest';
import { completion, newAgent, protocolError, rowsOf, useWorld } from './support/harness.js';

const world = useWorld();

async function completing(titles: string[]) {
  const agent = await newAgent(world);
  for (const title of titles) await agent.ok('add_task', { title });
  const ask = (of: string, argument: string) => (value: string) => completion(agent.client, of, argument, value);
  return {
    ...agent,
    task: ask('break_down', 'task'),
    id: ask('taskloom://task/{id}', 'id'),
    label: ask('plan_my_day', 'label'),
    project: ask('taskloom://project/{name}', 'name'),
  };
}

describe('a task is offered', () => {
  test('by the beginnings of words in its title, whatever their case, accents and order', async () => {
    const { task } = await completing(['Buy milk', 'Écrire à Zoë', 'Rebuy batteries', '100% sure_thing']);
    expect(await task('BU')).toEqual({ values: ['#1 Buy milk'], total: 1, hasMore: false });
    expect((await task('mil b')).values).toEqual(['#1 Buy milk']);
    for (const typed of ['zoe', 'ZOË', 'ecrire z'])
      expect((await task(typed)).values, typed).toEqual(['#2 Écrire à Zoë']);
    expect(await task('uy')).toEqual({ values: [], total: 0, hasMore: false });
    for (const typed of ['%', '_', '\\', "'; --"]) expect((await task(typed)).values, typed).toEqual([]);
  });

  test('by the digits of its number, that very number first', async () => {
    const { task, id } = await completing(Array.from({ length: 25 }, (_, i) => `Task of ${i % 2 ? 'day' : 'night'}`));
    expect((await id('2')).values).toEqual(['2', '20', '21', '22', '23', '24', '25']);
    expect((await id('#25')).values).toEqual(['25']);
    expect((await id('#3')).values).toEqual(['3']);
    expect((await id('99999999999')).values).toEqual([]);
    expect((await id('2147483647')).values).toEqual([]);
    expect((await id('0')).values).toEqual([]);
    expect((await task('#3 Task of night')).values[0]).toBe('#3 Task of night');
  });

  test('before anything is typed: what is due first, and how many there are', async () => {
    const { task, ok } = await completing(Array.from({ length: 24 }, (_, i) => `Some day ${i}`));
    await ok('add_task', { title: 'Due', due: '2026-12-01' });
    await ok('add_task', { title: 'Late', due: '2026-11-01' });
    const { values, total, hasMore } = await task('');
    expect(values.slice(0, 3)).toEqual(['#26 Late', '#25 Due', '#1 Some day 0']);
    expect({ shown: values.length, total, hasMore }).toEqual({ shown: 20, total: 26, hasMore: true });
    expect(await task('some')).toMatchObject({ total: 24, hasMore: true });
  });

  test('only while it is open', async () => {
    const { task, ok } = await completing(['Buy milk', 'Buy bread', 'Buy salt']);
    await ok('complete_task', { id: 1 });
    await ok('delete_task', { id: 2 });
    expect(await task('buy')).toEqual({ values: ['#3 Buy salt'], total: 1, hasMore: false });
  });

  test('and what is offered is understood', async () => {
    const { task, id, client } = await completing(['#9 lives of a cat']);
    const [value = ''] = (await task('cat')).values;
    expect(value).toBe('#1 #9 lives of a cat');
    expect((await client.getPrompt({ name: 'break_down', arguments: { task: value } })).messages).toHaveLength(1);
    const [number] = (await id('cat')).values;
    expect((await client.readResource({ uri: `taskloom://task/${number}` })).contents).toHaveLength(1);
  });

  test('as far as it is known, when there are very many: old ones by number, and there may be more', async () => {
    const { task, id, principal, ok } = await completing(['Needle']);
    await rowsOf(
      world,
      `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, rank, version, created_at, created_by, updated_at, updated_by)
       select $1, n, 'Straw ' || n, n || ' straw', 'pending', 5, 'infinity', 'a0', 1, now(), 'x', now(), 'x' from generate_series(2, 10001) n`,
      [principal.userId],
    );
    await rowsOf(world, 'update taskloom.counters set next_task = 10002 where user_id = $1', [principal.userId]);
    expect(await task('needle')).toEqual({ values: [], hasMore: true });
    expect((await id('1')).values[0]).toBe('1');
    await ok('add_task', { title: 'Needle' });
    expect(await task('needle')).toEqual({ values: ['#10002 Needle'], hasMore: true });
    const all = await task('');
    expect(all.values).toHaveLength(20);
    expect(all).toMatchObject({ hasMore: true });
    expect(all.total).toBeUndefined();
  });
});

describe('names are offered', () => {
  test('projects: those that begin so, then those with a word that does, then those that contain it', async () => {
    const { project, ok } = await completing([]);
    for (const name of ['Workshop', 'Homework', 'Team work', 'Été', 'Home'])
      await ok('add_task', { title: 'x', project: name });
    expect(await project('WORK')).toEqual({ values: ['Workshop', 'Team work', 'Homework'], total: 3, hasMore: false });
    expect((await project('ete')).values).toEqual(['Été']);
    expect((await project('+ho')).values).toEqual(['Home', 'Homework', 'Workshop']);
    expect(await project('')).toMatchObject({ total: 5 });
  });

  test('labels: each once, however many tasks carry it', async () => {
    const { label, ok } = await completing([]);
    await ok('add_task', { title: 'x', labels: ['errand', 'Phone'] });
    await ok('add_task', { title: 'y', labels: ['Errand', 'deep work'] });
    expect(await label('')).toEqual({ values: ['deep work', 'errand', 'Phone'], total: 3, hasMore: false });
    expect((await label('@ER')).values).toEqual(['errand']);
    expect((await label('work')).values).toEqual(['deep work']);
  });

  test('twenty at most', async () => {
    const { label, project, ok } = await completing([]);
    for (let i = 0; i < 25; i++) await ok('add_task', { title: 'x', labels: [`l${i}`], project: `p${i}` });
    for (const names of [await label('l'), await project('p')])
      expect({ ...names, values: names.values.length }).toEqual({ values: 20, total: 25, hasMore: true });
  });
});

describe('a completion', () => {
  test('of what has none is empty, and of what does not exist is refused', async () => {
    const { client } = await newAgent(world);
    expect(await completion(client, 'plan_my_day', 'minutes', '1')).toEqual({ values: [], total: 0, hasMore: false });
    for (const argument of ['constructor', '__proto__', 'nothing'])
      expect((await completion(client, 'break_down', argument, '')).values).toEqual([]);
    expect(await protocolError(completion(client, 'no_such_prompt', 'task', ''))).toEqual({
      code: -32602,
      message: 'No such prompt.',
    });
    expect(await protocolError(completion(client, 'taskloom://nothing/{id}', 'id', ''))).toEqual({
      code: -32602,
      message: 'No such resource.',
    });
  });

  test('survives whatever is typed', async () => {
    const { task, id, label, project } = await completing(['Buy milk']);
    const typed = ['\0', '\ud800', 'x'.repeat(100_000), '\u202e', '12 '.repeat(5000), '🙂', '\n', '-1', '1e9'];
    for (const value of typed)
      for (const ask of [task, id, label, project])
        expect(await ask(value)).toMatchObject({ values: expect.any(Array) });
    expect(world.logged.join()).not.toContain('unforeseen');
  });
});
