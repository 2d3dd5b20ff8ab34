import { describe, expect, test } from 'vitest';
import { newAgent, promptText, protocolError, useWorld } from '../support/harness.js';

const world = useWorld();

describe('weekly_review', () => {
  test('looks seven days back and seven ahead', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'Done', project: 'Home' });
    await ok('complete_task', { id: 1 });
    await ok('add_task', { title: 'Late', due: '2026-11-01' });
    await ok('add_task', { title: 'Saturday', due: '2026-11-28' });
    await ok('add_task', { title: 'Sunday after', due: '2026-11-29' });
    await ok('add_task', { title: 'Begun' });
    await ok('update_task', { id: 5, status: 'in_progress' });
    const text = await promptText(client, 'weekly_review');
    expect(text).toContain('today is Sun 22 Nov 2026 (Europe/Paris), 14:02');
    expect(text).toMatch(/Completed in the last 7 days: 1 task\n {4}#1 Done · completed/);
    expect(text).toMatch(/Overdue: 1 task\n {4}#2 Late/);
    expect(text).toMatch(/In progress: 1 task\n {4}#5 Begun/);
    expect(text).toMatch(/Due in the 7 days from today: 1 task\n {4}#3 Saturday/);
    expect(text.match(/today is/g)).toHaveLength(1);
    expect(text).not.toContain('Sunday after');
    expect(text).toContain('+Home · 0 open');
  });

  test('of a week that holds too much, leaves out tasks and not the days of those it names', async () => {
    const { ok, client } = await newAgent(world);
    const long = (due: string) => Array.from({ length: 25 }, (_, i) => ({ title: `${'Long '.repeat(35)}${i}`, due }));
    await ok('add_tasks', { tasks: [...long('2026-11-20'), ...long('2026-11-25')] });
    const [, week] =
      /Due in the 7 days from today: ([\s\S]*)My projects/.exec(await promptText(client, 'weekly_review')) ?? [];
    const named = week?.match(/^ {4}#\d+ .*$/gm) ?? [];
    expect(named.length).toBeGreaterThan(0);
    expect(named.length).toBeLessThan(25);
    expect(named.filter((line) => !line.includes('due Wed 25 Nov'))).toEqual([]);
    expect(week).toContain(`${25 - named.length} more on this page`);
  });

  test('says of all that was done in which project, beside much that is overdue, if there is room', async () => {
    const { ok, client } = await newAgent(world);
    const done = Array.from({ length: 16 }, (_, i) => ({ title: `Standup ${i}`, project: 'Work' }));
    const late = Array.from({ length: 20 }, (_, i) => ({ title: `Invoice ${i}`, due: '2026-11-20' }));
    await ok('add_tasks', { tasks: [...done, ...late] });
    await ok('complete_task', { ids: done.map((_, i) => i + 1) });
    const text = await promptText(client, 'weekly_review');
    expect(text.match(/#\d+ Standup \d+ · completed .* · \+Work$/gm)).toHaveLength(16);
    expect(text.match(/#\d+ Invoice/g)).toHaveLength(20);
    expect(text).not.toContain('Left out');
  });

  test('lists a task once, though it is claimed, overdue and in progress', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'Write', due: '2026-11-22T09:00' });
    await ok('claim_task', { id: 1 });
    expect((await promptText(client, 'weekly_review')).match(/#1 Write/g)).toHaveLength(1);
  });

  test('takes no arguments, and says so', async () => {
    const { client } = await newAgent(world);
    const asked = client.getPrompt({ name: 'weekly_review', arguments: { week: '47' } });
    expect((await protocolError(asked)).message).toBe('Unknown field: week. weekly_review takes no fields.');
  });
});
