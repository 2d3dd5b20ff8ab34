import { describe, expect, test } from 'vitest';
import { agentOf, newAgent, useWorld } from '../harness.js';

const world = useWorld();

describe('undo, sent twice', () => {
  test('is answered as the first time, by handle and by count', async () => {
    const ana = await newAgent(world);
    const { undo } = await ana.ok('add_task', { title: 'One' });
    const first = await ana.ok('undo', { undo, request_id: 'a' });
    expect(await ana.ok('undo', { undo, request_id: 'a' })).toEqual({ ...first, replayed: true });
    await ana.ok('add_task', { title: 'Two' });
    const last = await ana.ok('undo', { last: 1, request_id: 'b' });
    expect(await ana.ok('undo', { last: 1, request_id: 'b' })).toEqual({ ...last, replayed: true });
    const laptop = await agentOf(world, ana.principal, 'ana-laptop');
    expect(await laptop.ok('undo', { last: 1, request_id: 'b' })).toEqual({ ...last, replayed: true });
  });
});
