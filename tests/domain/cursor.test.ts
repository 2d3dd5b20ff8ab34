import fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { packCursor, unpackCursor } from '../../src/domain/lists/cursor.js';

const secret = Buffer.from('0123456789abcdef0123456789abcdef');
const instant = fc.date({
  min: new Date('1900-01-01'),
  max: new Date('2999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
});
const now = fc
  .date({ min: new Date('2026-01-01'), max: new Date('2200-01-01'), noInvalidDate: true })
  .map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000));
const id = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const dueSort = fc.oneof(
  fc.constant('infinity'),
  instant.map((date) => date.toISOString()),
);
const position = fc.oneof(
  fc.record({ now, id }),
  fc.record({ now, id, dueSort }),
  fc.record({ now, id, dueSort, priority: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ now, id, completedAt: instant.map((date) => date.toISOString()) }),
);

test('a cursor gives back the position it was made of, in 24 tokens at most', () => {
  fc.assert(
    fc.property(position, fc.string(), (given, bound) => {
      const cursor = packCursor(given, bound, secret);
      expect(unpackCursor(cursor, bound, secret)).toEqual(given);
      expect(encode(cursor).length).toBeLessThanOrEqual(24);
    }),
    { numRuns: 500 },
  );
});

test('what kind of cursor it is cannot be changed either', () => {
  for (const given of [{ rank: 'a0' }, { dueSort: 'infinity' }, {}]) {
    const cursor = packCursor({ now: new Date('2026-11-22T13:02:00Z'), id: 12, ...given }, 'ana', secret);
    const packed = Buffer.from(`0${BigInt(cursor.slice(1)).toString(16)}`, 'hex');
    packed[0] = packed[0] === 1 ? 2 : 1;
    const other = `c${BigInt(`0x${packed.toString('hex')}`)}`;
    expect(() => unpackCursor(other, 'ana', secret)).toThrow('does not belong');
  }
});

test('no change of a cursor, of what it is bound to or of the key goes unnoticed', () => {
  fc.assert(
    fc.property(position, fc.nat(), fc.integer({ min: 1, max: 9 }), (given, place, by) => {
      const cursor = packCursor(given, 'ana', secret);
      const at = 1 + (place % (cursor.length - 1));
      const changed = cursor.slice(0, at) + ((Number(cursor[at]) + by) % 10) + cursor.slice(at + 1);
      for (const attempt of [
        () => unpackCursor(changed, 'ana', secret),
        () => unpackCursor(cursor, 'bob', secret),
        () => unpackCursor(cursor, 'ana', Buffer.alloc(32)),
      ])
        expect(attempt).toThrow('does not belong');
    }),
  );
});
