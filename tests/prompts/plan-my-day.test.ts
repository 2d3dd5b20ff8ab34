import { describe, expect, test } from 'vitest';
import { newAgent, promptText, protocolError, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

describe('plan_my_day', () => {
  test('brings what is due, in progress and open, each task once, with today and the zone', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'Late', due: '2026-11-20' });
    await ok('add_task', { title: 'Soon', due: '2026-11-22', estimate_minutes: 30 });
    await ok('add_task', { title: 'Started' });
    await ok('update_task', { id: 3, status: 'in_progress' });
    await ok('add_task', { title: 'Some day' });
    await ok('add_task', { title: 'At once', priority: 'urgent' });
    const text = await promptText(client, 'plan_my_day');
    expect(text).toContain('plan today');
    expect(text).toContain('today is Sun 22 Nov 2026 (Europe/Paris), 14:02');
    expect(text.match(/today is/g)).toHaveLength(1);
    expect(text).toContain('5 open, 1 in progress, 1 overdue, 1 still due today');
    expect(text.match(/^ {4}#\d+ [A-Z][a-z ]+/gm)?.map((line) => line.trim())).toEqual([
      '#2 Soon',
      '#1 Late',
      '#3 Started',
      '#5 At once',
      '#4 Some day',
    ]);
  });

  test('offers what can be started, and marks what is due and cannot', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_tasks', {
      tasks: [
        { title: 'Choose', ref: 'choose', priority: 'low' },
        { title: 'Build', ref: 'build', priority: 'urgent', blocked_by: ['choose'] },
        { title: 'Walls', parent: 'build', priority: 'urgent' },
        { title: 'Roof', parent: 'build', due: '2026-11-22' },
        { title: 'Read' },
      ],
    });
    const text = await promptText(client, 'plan_my_day');
    expect(text).toMatch(/Due today: 1 task\n {4}#4 Roof · .* · waits with #2\n/);
    expect(text).toMatch(/Ready to start, by priority: 2 tasks\n {4}#1 Choose · low\n {4}#5 Read$/);
    expect(text).not.toMatch(/#3 Walls/);
  });

  test('counts in each section only tasks that no earlier one names', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_tasks', { tasks: [{ title: 'Late', due: '2026-11-20' }, { title: 'Read' }] });
    expect(await promptText(client, 'plan_my_day')).toMatch(/Ready to start, by priority: 1 task\n {4}#2 Read$/);
  });

  test('offers more than what is due, however much of that there is', async () => {
    const { ok, client } = await newAgent(world);
    const due = Array.from({ length: 40 }, (_, i) => ({ title: `Due ${i}`, priority: 'high', due: '2026-11-22' }));
    await ok('add_tasks', { tasks: [...due, { title: 'Read' }] });
    expect(await promptText(client, 'plan_my_day')).toMatch(/Ready to start, by priority: 16 tasks\n.*#41 Read$/s);
  });

  test('is of what can be started now for a day that is past', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'Since today', start: '2026-11-22' });
    expect(await promptText(client, 'plan_my_day', { date: '2026-11-20' })).toContain('#1 Since today');
  });

  test('offers what can be started in the course of that day', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_tasks', {
      tasks: [
        { title: 'This evening', start: '2026-11-22T19:00' },
        { title: 'Tomorrow', ref: 'tomorrow', start: '2026-11-23' },
        { title: 'Part', parent: 'tomorrow' },
        { title: 'The day after', start: '2026-11-24' },
      ],
    });
    expect(await promptText(client, 'plan_my_day')).toMatch(
      /Ready to start, by priority: 1 task\n {4}#1 This evening · starts Sun 22 Nov 19:00$/,
    );
    const tomorrow = await promptText(client, 'plan_my_day', { date: 'tomorrow' });
    expect(tomorrow).toMatch(/Ready to start, by priority: 2 tasks\n {4}#1 .*\n {4}#3 Part/);
  });

  test('plans another day, within the time there is', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'On Tuesday', due: '2026-11-24' });
    const tomorrow = await promptText(client, 'plan_my_day', { date: 'tomorrow', minutes: '90' });
    expect(tomorrow).toContain('plan my Mon 23 Nov');
    expect(tomorrow).toContain('I have 90 minutes');
    expect(tomorrow).not.toMatch(/^ *Due/m);
    expect(await promptText(client, 'plan_my_day', { date: '2026-11-24' })).toMatch(
      /Due 2026-11-24: 1 task\n {4}#1 On Tuesday/,
    );
  });

  test('names what is due today however much is overdue', async () => {
    const { ok, client } = await newAgent(world);
    const late = Array.from({ length: 30 }, (_, i) => ({ title: `Late ${i}`, due: '2026-11-20' }));
    await ok('add_tasks', { tasks: [...late, { title: 'Dentist', due: '2026-11-22T17:00' }] });
    const text = await promptText(client, 'plan_my_day');
    expect(text).toContain('#31 Dentist');
    expect(text).toMatch(/Due before: 25 of 30 tasks/);
  });

  test('keeps to a label', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'Call', labels: ['Phone'], due: '2026-11-22' });
    await ok('add_task', { title: 'Walk', due: '2026-11-22' });
    const text = await promptText(client, 'plan_my_day', { label: '@phone' });
    expect(text).toContain('#1 Call');
    expect(text).not.toContain('Walk');
    expect(text).toMatch(/Of all my tasks: .*\n {4}2 open/);
    const asked = client.getPrompt({ name: 'plan_my_day', arguments: { label: 'phnoe' } });
    expect((await protocolError(asked)).message).toBe(
      'No task has @phnoe; similar labels: @Phone. Try another label, or omit it.',
    );
  });

  test('finds tasks behind any number of more urgent ones with other labels, or says that there may be some', async () => {
    const ana = await newAgent(world);
    const add = (ids: string, priority: number) =>
      rowsOf(
        world,
        `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, rank, version, created_at, created_by, updated_at, updated_by)
        select $1, n, 'Task ' || n, 'task ' || n, 'pending', ${priority}, 'infinity', 'a' || n, 1, now(), 'seed', now(), 'seed' from generate_series(${ids}) n`,
        [ana.principal.userId],
      );
    const ask = () => promptText(ana.client, 'plan_my_day', { label: 'rare' });
    await add('1, 1300', 4);
    await rowsOf(
      world,
      `insert into taskloom.task_labels (user_id, task_id, label_key, label) select $1, n, 'rare', 'rare' from generate_series(1, 1300) n`,
      [ana.principal.userId],
    );
    await add('1301, 2600', 1);
    const found = await ask();
    expect(found).toMatch(/Ready to start with @rare, by priority: 25 of \d+\+ tasks\n/);
    expect(found.match(/#\d+ Task \d+ · low @rare/g)).toHaveLength(25);
    await add('2601, 12000', 1);
    expect(await ask()).toMatch(
      /Ready to start with @rare, by priority: 0 of 0\+ tasks\n.*The scan limit was reached; there may be more\./,
    );
  });

  test('the day is the user’s own', async () => {
    const { ok, client } = await newAgent(world, { timezone: 'Pacific/Auckland' });
    await ok('add_task', { title: 'Monday', due: '2026-11-23' });
    expect(await promptText(client, 'plan_my_day')).toMatch(/Mon 23 Nov 2026[\s\S]*Due today: 1 task/);
  });

  test('says what is wrong with its arguments and what to do', async () => {
    const { client } = await newAgent(world);
    const wrong = (args: Record<string, string>) =>
      protocolError(client.getPrompt({ name: 'plan_my_day', arguments: args }));
    expect(await wrong({ minutes: 'a while', label: '\0' })).toEqual({
      code: -32602,
      message:
        'minutes must be a whole number from 1 to 1440; label contains a NUL character: remove it. Correct this and call again.',
      data: { code: 'invalid' },
    });
    expect((await wrong({ date: '2026-02-30' })).message).toContain('is not a date. Use 2026-11-24');
    expect((await wrong({ when: 'today' })).message).toContain('plan_my_day takes date, minutes, label.');
  });
});
