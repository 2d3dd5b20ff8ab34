import { expect, test } from 'vitest';
import type { Task } from '../../src/domain/task.js';
import { writeStatement } from '../../src/domain/write-statement.js';

const now = new Date('2026-11-22T13:02:00Z');
const scope = { userId: '00000000-0000-7000-8000-000000000001', timezone: 'UTC' };
const opened = { now, nextTask: 3, nextProject: 1, nextComment: 1, changeSeq: 2, purgeDue: false };
const recording = { actor: { via: 'stdio' as const }, call: '00000000-0000-4000-8000-000000000001' };

const taskOf = (id: number, more: Partial<Task>) =>
  ({
    id,
    title: 'x',
    status: 'pending',
    version: 1,
    labels: [],
    blockedBy: [],
    waitsFor: [],
    due: null,
    start: null,
    ...more,
  }) as Task;

test('a description that was not loaded is never written beside one that changes', () => {
  const described = taskOf(1, { description: 'before', note: null });
  const other = taskOf(2, {});
  const edits = [
    { before: described, after: { ...described, description: 'after' } },
    { before: other, after: { ...other, status: 'completed' as const } },
  ];
  expect(() => writeStatement(scope, opened, { edits, outcome: undefined }, recording)).toThrow(/were not loaded/);
});
