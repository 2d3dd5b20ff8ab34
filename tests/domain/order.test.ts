import { describe, expect, test } from 'vitest';
import { NEIGHBOURS, rankOf, ranksFor } from '../../src/domain/order.js';
import type { Task } from '../../src/domain/task.js';

type Placed = Pick<Task, 'id' | 'rank' | 'status' | 'deletedAt'>;

const made = (count: number): Placed[] =>
  Array.from({ length: count }, (_, i) => ({ id: i + 1, rank: rankOf(i + 1), status: 'pending', deletedAt: null }));

/** As `gather` finds them: what is moved, and its neighbours-to-be on either side. */
const known = (line: Placed[], target: number, moved: Placed) => {
  const at = line.findIndex(({ id }) => id === target);
  const near = [...line.slice(Math.max(0, at - NEIGHBOURS), at + NEIGHBOURS + 1), moved];
  return new Map(near.map((task) => [task.id, task as Task]));
};

describe('moved over and over', () => {
  test.each<[how: string, from: (count: number) => number, beside: (count: number, move: number) => number]>([
    ['to the end', () => 0, (count) => count - 1],
    ['to the middle', (count) => count - 1, (count, move) => Math.floor(count / 2) + (move % 2)],
    ['to the second place', (count) => count - 1, () => 0],
  ])('tasks keep short ranks, in the order that was asked for, %s', (_how, from, beside) => {
    const count = 300;
    const line = made(count);
    let rewritten = 0;
    for (let move = 0; move < 3_000; move++) {
      const [moved] = line.splice(from(count), 1) as [Placed];
      const at = beside(line.length, move);
      const target = line[at]?.id as number;
      const ranks = ranksFor(known(line, target, moved), [moved.id], { after: target }, count + 1);
      line.splice(at + 1, 0, moved);
      for (const task of line) task.rank = ranks.get(task.id) ?? task.rank;
      rewritten += ranks.size - 1;
      expect(ranks.has(moved.id)).toBe(true);
    }
    const sorted = line.map(({ rank }) => rank);
    expect(sorted).toEqual([...new Set(sorted)].sort());
    expect(Math.max(...sorted.map((rank) => rank.length))).toBeLessThan(60);
    expect(rewritten).toBeLessThan(3 * 3_000);
  });
});
