import { describe, expect, test } from 'vitest';
import { newAgent, promptText, protocolError, useWorld } from '../support/harness.js';

const world = useWorld();

describe('break_down', () => {
  test('brings all there is about a task, named as a person or a completion names it', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'Move house', description: 'By **May**.\nWith the piano.', due: '2027-05-01' });
    await ok('add_task', { title: 'Find boxes', parent: 1 });
    const text = await promptText(client, 'break_down', { task: '1' });
    expect(text).toContain('break down task #1');
    expect(text).toContain('add_tasks, each with parent 1');
    expect(text).toMatch(
      / {4}#1 Move house · due 1 May 2027\n[\s\S]*By \*\*May\*\*\.\n {8}With the piano\.[\s\S]*#2 Find boxes/,
    );
    for (const task of ['#1', '1', 'house  move', '#1 Move house', '#1 Moved since'])
      expect(await promptText(client, 'break_down', { task }), task).toBe(text);
  });

  test('refuses what is not there, what is done, and what could be several', async () => {
    const { ok, client } = await newAgent(world);
    const wrong = (args: Record<string, string>) =>
      protocolError(client.getPrompt({ name: 'break_down', arguments: args }));
    await ok('add_task', { title: 'Paint the door' });
    await ok('add_task', { title: 'Paint the door' });
    await ok('add_task', { title: 'Over' });
    await ok('complete_task', { id: 3 });
    expect(await wrong({})).toMatchObject({ code: -32602, message: expect.stringContaining('task is missing') });
    expect(await wrong({ task: '91' })).toEqual({
      code: -32602,
      message: 'No task #91. Use list_tasks to find its id.',
      data: { code: 'not_found' },
    });
    await ok('add_tasks', {
      tasks: ['a', 'b', 'c', 'd', 'e']
        .map((ref, i, refs) => ({ title: `Level ${ref}`, ref, parent: refs[i - 1] ?? 1 }))
        .slice(0, 4),
    });
    expect((await wrong({ task: '#7' })).message).toMatch(/^Tasks can be nested at most 5 levels deep\./);
    expect((await wrong({ task: '#3' })).message).toBe('#3 is not open. Choose an open task.');
    expect(await wrong({ task: 'paint the door' })).toEqual({
      code: -32602,
      message: 'Several tasks are called "paint the door". Use the id of one of the candidates. Candidates: #1, #2.',
      data: {
        code: 'not_found',
        candidates: [
          { id: 1, title: 'Paint the door' },
          { id: 2, title: 'Paint the door' },
        ],
      },
    });
  });
});
