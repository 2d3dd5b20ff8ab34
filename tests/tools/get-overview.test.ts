import { describe, expect, test } from 'vitest';
import { newAgent, useWorld } from '../support/harness.js';

const world = useWorld();

describe('get_overview', () => {
  test('says who, when, where things stand, what is late and what is left for today', async () => {
    const ana = await newAgent(world);
    for (const [title, due] of [
      ['late', '2026-11-20'],
      ['tonight', '2026-11-22T20:00'],
      ['today', '2026-11-22'],
      ['tomorrow', '2026-11-23'],
    ])
      await ana.ok('add_task', { title, due });
    await ana.ok('update_task', { id: 2, status: 'in_progress' });
    const reply = await ana.call('get_overview');
    expect(reply.json).toEqual({
      user: ana.principal.handle,
      timezone: 'Europe/Paris',
      now: '2026-11-22T14:02+01:00',
      counts: { open: 4, in_progress: 1, claimed: 0, blocked: 0, overdue: 1, today: 2 },
      overdue: [{ id: 1, title: 'late', due: '2026-11-20' }],
      today: [
        { id: 2, title: 'tonight', status: 'in_progress', due: '2026-11-22T20:00+01:00' },
        { id: 3, title: 'today', due: '2026-11-22' },
      ],
    });
    expect(reply.text).toBe(
      [
        `${ana.principal.handle}; today is Sun 22 Nov 2026 (Europe/Paris), 14:02`,
        '4 open, 1 in progress, 1 overdue, 2 still due today',
        'Overdue:',
        '#1 late · due Fri 20 Nov',
        'Today:',
        '#2 tonight · in progress · due Sun 22 Nov 20:00',
        '#3 today · due Sun 22 Nov',
      ].join('\n'),
    );
  });

  test('shows the first ten of many, and says how many there are', async () => {
    const ana = await newAgent(world);
    for (let i = 0; i < 12; i++) await ana.ok('add_task', { title: `late ${i}`, due: '2026-11-01' });
    const reply = await ana.call('get_overview');
    expect(reply.json.overdue).toHaveLength(10);
    expect(reply.text).toContain('Overdue (first 10 of 12):');
  });

  test('tells the rest of a task that is due and claimed only once', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Bins', due: 'today' });
    await ana.ok('claim_task', { id: 1, agent: 'worker' });
    const reply = await ana.call('get_overview');
    expect(reply.text).toMatch(/Today:\n#1 Bins · .*due Sun 22 Nov.*claimed by worker until .*\nClaimed:\n#1 Bins$/);
    expect(reply.json.claimed).toEqual([{ id: 1, title: 'Bins' }]);
  });

  test('is quiet when there is nothing', async () => {
    const ana = await newAgent(world);
    const { overdue, today, counts } = await ana.ok('get_overview');
    expect([overdue, today, counts.open]).toEqual([undefined, undefined, 0]);
  });
});
