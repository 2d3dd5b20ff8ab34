import { createHmac, timingSafeEqual } from 'node:crypto';
import { invalid } from '../../errors.js';

/** A position in a list, by value: the sort key of the last row, and the time that relative dates were resolved at. */
export interface Position {
  now: Date;
  id: number;
  /** If sorted by due date or priority. */
  dueSort?: string;
  /** If sorted by priority. */
  priority?: number;
  /** If sorted manually. */
  rank?: string;
  /** If sorted by completion. */
  completedAt?: string;
  /** The rank of the match, if sorted by best match. */
  match?: number;
}

/** Rounds down to the second, as cursors store it, so that all pages of a list, also the first, use the same time. */
export const toSecond = (now: Date): Date => new Date(Math.floor(now.getTime() / 1000) * 1000);

const MAC = 8;
const NEVER = 0xff_ff_ff_ff_ff_ff;

/**
 * Packs a position as `c` and decimal digits, which models tokenize three at a time: about two dozen tokens.
 * The signature covers `context`, which the cursor does not contain; all replicas share the key.
 *
 * @param context the user, filter and sort that the cursor is valid for, as a string
 */
export function packCursor(position: Position, context: string, secret: Buffer): string {
  const { now, id, completedAt, dueSort = completedAt, priority, rank = '', match } = position;
  const size = 9 + (dueSort ? 6 : 0) + (priority ? 1 : 0) + (match === undefined ? 0 : 4);
  const payload = Buffer.alloc(size + rank.length);
  payload.writeUIntBE(toSecond(now).getTime() / 1000, 0, 5);
  payload.writeUInt32BE(id, 5);
  // The offset makes due dates before 1970 non-negative.
  if (dueSort) payload.writeUIntBE(dueSort === 'infinity' ? NEVER : Date.parse(dueSort) + OFFSET, 9, 6);
  if (priority) payload.writeUInt8(priority, 15);
  if (match !== undefined) payload.writeInt32BE(match, 9);
  payload.write(rank, size, 'latin1');
  const head = Buffer.concat([Buffer.of(rank ? 2 : completedAt ? 3 : 1), payload]);
  const packed = Buffer.concat([head, sign(head, context, secret)]);
  return `c${BigInt(`0x${packed.toString('hex')}`)}`;
}

/** Milliseconds from 1900 to 1970, rounded up. */
const OFFSET = 2_300_000_000_000;

/**
 * Unpacks a cursor and verifies its signature.
 *
 * @throws Refusal `invalid` for a cursor that was not issued to this user for this filter and sort
 */
export function unpackCursor(cursor: string, context: string, secret: Buffer): Position {
  // The first byte is 1, 2 or 3, so the number has lost its leading hex digit 0.
  const hex = /^c\d{20,2000}$/.test(cursor) ? `0${BigInt(cursor.slice(1)).toString(16)}` : '';
  const packed = Buffer.from(hex, 'hex');
  const payload = packed.subarray(1, -MAC);
  if (
    packed.length < 1 + 9 + MAC ||
    !timingSafeEqual(packed.subarray(-MAC), sign(packed.subarray(0, -MAC), context, secret))
  )
    throw invalid(
      'This cursor does not belong to this list.',
      'Repeat the call that returned it, with the same filters and sort, or omit cursor to start over.',
    );
  const at = { now: new Date(payload.readUIntBE(0, 5) * 1000), id: payload.readUInt32BE(5) };
  if (packed[0] === 2) return { ...at, rank: payload.toString('latin1', 9) };
  const time = payload.length > 13 ? payload.readUIntBE(9, 6) : undefined;
  const name = packed[0] === 3 ? 'completedAt' : 'dueSort';
  return {
    ...at,
    ...(time !== undefined && { [name]: time === NEVER ? 'infinity' : new Date(time - OFFSET).toISOString() }),
    ...(payload.length > 15 && { priority: payload.readUInt8(15) }),
    ...(payload.length === 13 && { match: payload.readInt32BE(9) }),
  };
}

function sign(head: Buffer, context: string, secret: Buffer): Buffer {
  return createHmac('sha256', secret).update(context).update('\0').update(head).digest().subarray(0, MAC);
}
