import { describe, expect, test } from 'vitest';
import { newAgent, promptText, protocolError, useWorld } from '../support/harness.js';

const world = useWorld();

describe('triage_inbox', () => {
  test('brings open tasks about which nothing was decided, and the projects and labels there are', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'Bare' });
    await ok('add_task', { title: 'Labelled', labels: ['errand'] });
    await ok('add_task', { title: 'Filed', project: 'Home' });
    await ok('add_task', { title: 'Dated', due: '2026-12-24' });
    await ok('add_task', { title: 'Ranked', priority: 'low' });
    await ok('add_task', { title: 'Step', parent: 3 });
    await ok('add_task', { title: 'Done' });
    await ok('complete_task', { id: 7 });
    const text = await promptText(client, 'triage_inbox');
    expect(text).toMatch(/Inbox: 2 tasks; today is .*\n {4}#1 Bare\n {4}#2 Labelled · @errand\n/);
    expect(text).not.toMatch(/#[3-7]\b/);
    expect(text).toContain('+Home · 2 open');
    expect(text).toContain('Labels: @errand');
    expect(await promptText(client, 'triage_inbox', { label: 'ERRAND' })).toMatch(
      /Inbox with @ERRAND: 1 task; .*\n {4}#2 Labelled/,
    );
  });

  test('an empty inbox is an answer', async () => {
    const { client } = await newAgent(world);
    expect(await promptText(client, 'triage_inbox')).toMatch(/Inbox: 0 tasks; .*[\s\S]*No active projects\./);
  });

  test('shows the oldest, and how many there are', async () => {
    const { ok, client } = await newAgent(world);
    for (let i = 1; i <= 27; i++) await ok('add_task', { title: `Thought ${i}` });
    const text = await promptText(client, 'triage_inbox');
    expect(text).toContain('Inbox: 25 of 27 tasks;');
    expect(text.match(/#\d+ Thought/g)).toHaveLength(25);
    expect(text).toContain('#1 Thought');
  });

  test('refuses a label that no task has, and names those written alike', async () => {
    const { ok, client } = await newAgent(world);
    await ok('add_task', { title: 'Bread', labels: ['errand'] });
    const asked = client.getPrompt({ name: 'triage_inbox', arguments: { label: 'erand' } });
    expect((await protocolError(asked)).message).toContain('No task has @erand; similar labels: @errand.');
  });

  test('refuses a label that cannot be one', async () => {
    const { client } = await newAgent(world);
    const asked = client.getPrompt({ name: 'triage_inbox', arguments: { label: 'two\nlines' } });
    expect((await protocolError(asked)).message).toContain('label must be one line');
  });
});
