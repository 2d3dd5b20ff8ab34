import { describe, expect, test } from 'vitest';
import { newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

describe('list_projects', () => {
  test('answers projects by name, with their open tasks', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Report', project: 'Work' });
    await ana.ok('add_task', { title: 'Roof', project: 'Home' });
    await ana.ok('add_task', { title: 'Paint', project: '+home' });
    await ana.ok('complete_task', { id: 1 });
    const reply = await ana.call('list_projects');
    expect(reply.json).toEqual({
      projects: [
        { name: 'Home', open: 2 },
        { name: 'Work', open: 0 },
      ],
    });
    expect(reply.text).toBe('+Home · 2 open\n+Work · 0 open');
  });

  test('names the labels in use, each once, up to a hundred of them', async () => {
    const ana = await newAgent(world);
    const add = (labels: string[]) => ana.ok('add_task', { title: 'x', project: 'Home', labels });
    await add(['errand', 'Zoo']);
    await add(['ERRAND', 'büro']);
    const reply = await ana.call('list_projects');
    expect(reply.json).toEqual({ projects: [{ name: 'Home', open: 2 }], labels: ['büro', 'errand', 'Zoo'] });
    expect(reply.text).toBe('+Home · 2 open\nLabels: @büro, @errand, @Zoo');
    expect((await ana.call('list_projects', { archived: true })).text).toBe('No archived projects.');

    for (let i = 0; i < 5; i++) await add(Array.from({ length: 20 }, (_, n) => `label number ${i} ${n}`));
    const many = await ana.call('list_projects');
    expect(many.json).toMatchObject({ labels: expect.objectContaining({ length: 100 }), more_labels: true });
    expect(many.text).toMatch(/ and more$/);
    const few = await ana.call('list_projects', { max_tokens: 100 });
    expect(few.json).toMatchObject({ projects: [{ name: 'Home' }], omitted: expect.stringContaining('labels') });
    expect(few.json.labels).toBeUndefined();
  });

  test('shows the first of very many, and says how many there are', async () => {
    const ana = await newAgent(world);
    await rowsOf(
      world,
      `insert into taskloom.projects (user_id, id, name, name_key, created_at, updated_at)
       select $1::uuid, n, 'p' || n, 'p' || n, now(), now() from generate_series(1, 201) n returning id`,
      [ana.principal.userId],
    );
    const reply = await ana.call('list_projects', { max_tokens: 5000 });
    expect([reply.json.projects.length, reply.json.total]).toEqual([200, 201]);
    expect(reply.text).toMatch(/^The first 200 of 201 projects:\n/);
  });

  test('counts the tasks of each up to 200', async () => {
    const ana = await newAgent(world);
    for (const count of [100, 100])
      await ana.ok('add_tasks', {
        tasks: Array.from({ length: count }, (_, i) => ({ title: `T${i}`, project: 'Home' })),
      });
    expect((await ana.ok('list_projects')).projects).toEqual([{ name: 'Home', open: 200 }]);
    await ana.ok('add_task', { title: 'One more', project: 'Home' });
    const { json, text } = await ana.call('list_projects');
    expect([json.projects, text]).toEqual([[{ name: 'Home', open: '200+' }], '+Home · 200+ open']);
  });

  test('says how a project comes to be when there is none', async () => {
    const ana = await newAgent(world);
    expect((await ana.call('list_projects')).text).toBe('No active projects. Naming a project in a task creates it.');
  });

  test('one name is one project in every spelling, without regard to the locale', async () => {
    const ana = await newAgent(world);
    for (const project of ['IŞIK', 'ışık', 'Straße', 'STRASSE', 'Ｗｏｒｋ', 'Work', 'Σίσυφος', 'ΣΊΣΥΦΟΣ'])
      await ana.ok('add_task', { title: 'x', project });
    expect((await ana.ok('list_projects')).projects).toHaveLength(4);
  });
});
