import { describe, expect, test } from 'vitest';
import { newAgent, protocolError, resourceText, useWorld } from '../support/harness.js';

const world = useWorld();

describe('taskloom://project/{name}', () => {
  test('lists the open tasks of a project, what is due first', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'Whenever', project: 'Home' });
    await ok('add_task', { title: 'Soon', project: 'Home', due: '2026-11-24' });
    await ok('add_task', { title: 'Done', project: 'Home' });
    await ok('complete_task', { id: 3 });
    await ok('add_task', { title: 'Elsewhere' });
    expect(await resourceText(client, 'taskloom://project/home')).toBe(
      '+home: 2 tasks; today is Sun 22 Nov 2026 (Europe/Paris)\n#2 Soon · due Tue 24 Nov · +Home\n#1 Whenever · +Home',
    );
  });

  test('takes any name a project may have, percent-encoded', async () => {
    const { ok, client } = await newAgent(world);
    for (const project of ['Garden & shed', 'a/b', 'Café ☕', '100%', 'C#', 'what?', 'x, y', '日本']) {
      const { task } = await ok('add_task', { title: 'In it', project });
      const text = await resourceText(client, `taskloom://project/${encodeURIComponent(project)}`);
      expect(text, project).toContain(`#${task.id} In it · +${project}`);
    }
    expect(await resourceText(client, 'taskloom://project/Café ☕')).toContain('+Café ☕: 1 task;');
  });

  test('is not found where there is none, or where there can be none', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'x', project: 'Home' });
    const wrong = (name: string) => protocolError(client.readResource({ uri: `taskloom://project/${name}` }));
    expect(await wrong('Shed')).toEqual({
      code: -32602,
      message: 'No project "Shed". Use list_projects to see existing projects.',
      data: { uri: 'taskloom://project/Shed' },
    });
    expect((await wrong('none')).message).toMatch(/^No project "none"\./);
    expect((await wrong('%00')).message).toBe('No such project: name contains a NUL character: remove it.');
    expect((await wrong('a%0Ab')).message).toContain('must be one line');
    expect((await wrong('%C3')).message).toBe('No such address: it is not percent-encoded UTF-8.');
    expect((await wrong('x'.repeat(101))).message).toContain('the maximum is 100');
  });

  test('a long project is cut, and says so', async () => {
    const { ok, client } = await newAgent(world);
    for (let i = 0; i < 101; i++) await ok('add_task', { title: 'One of many', project: 'Long' });
    const text = await resourceText(client, 'taskloom://project/Long');
    expect(text).toMatch(/^\+Long: 100 of 101 tasks;/);
    expect(text).not.toContain('cursor');
    expect(text).toContain('list_tasks');
  });
});
