import { expect, test } from 'vitest';
import { newAgent, resourceText, useWorld } from '../support/harness.js';

const world = useWorld();

test('taskloom://overview says what get_overview says', async () => {
  const { ok, call, client } = await newAgent(world);
  await ok('add_task', { title: 'Late', due: '2026-11-20' });
  const text = await resourceText(client, 'taskloom://overview');
  expect(text).toBe((await call('get_overview')).text);
  expect(text).toContain('#1 Late');
});
