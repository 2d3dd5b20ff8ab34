import { BASE_62_DIGITS } from 'fractional-indexing';

/**
 * The rank of a task that nobody has moved: its id, as a fractional index. So tasks are in the order they were
 * made in, and a new one needs no look at the last.
 */
export function rankOf(id: number): string {
  let rest = id;
  let width = 1;
  while (rest >= 62 ** width) rest -= 62 ** width++;
  let digits = '';
  for (; digits.length < width; rest = Math.floor(rest / 62)) digits = BASE_62_DIGITS[rest % 62] + digits;
  return String.fromCharCode(96 + width) + digits;
}
