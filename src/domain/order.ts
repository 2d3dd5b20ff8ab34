import { BASE_62_DIGITS, generateNKeysBetween } from 'fractional-indexing';
import { conflict } from '../errors.js';
import { isOpenTask, MAX_AT_ONCE, presentTask, type Task } from './task.js';

/**
 * Returns the rank of a task that was never moved: its id as a fractional index. Tasks are thus in order of creation,
 * and adding one does not require the last rank.
 */
export function rankOf(id: number): string {
  let rest = id;
  let width = 1;
  while (rest >= 62 ** width) rest -= 62 ** width++;
  let digits = '';
  for (; digits.length < width; rest = Math.floor(rest / 62)) digits = BASE_62_DIGITS[rest % 62] + digits;
  return String.fromCharCode(96 + width) + digits;
}

/** Where to put tasks: right before or right after the task of this id. */
export interface Place {
  before?: number | undefined;
  after?: number | undefined;
}

export const placeTarget = ({ before, after }: Place): number | undefined => before ?? after;

/**
 * If new ranks would be longer than `LONGEST` characters, neighbours get new ranks too: `REDEALT` on either side,
 * doubled until no rank is longer than half of `LONGEST`.
 */
const LONGEST = 48;
const REDEALT = 32;

/** Neighbours loaded on either side: as many as one write moves, those that get new ranks, and one beyond. */
export const NEIGHBOURS = MAX_AT_ONCE + 2 * REDEALT + 1;

/** @throws Refusal for a place beside a task that does not exist, is in the trash, or is itself to be moved */
export function checkPlace(tasks: ReadonlyMap<number, Task>, ids: number[], place: Place): void {
  const target = presentTask(tasks, placeTarget(place) as number);
  if (ids.includes(target.id))
    throw conflict(`#${target.id} cannot be placed beside itself.`, 'Leave it out of ids, or choose another task.');
}

/**
 * Returns ranks by task id that put tasks, in the order given, right before or after another; if ranks would get too
 * long, of its neighbours too.
 *
 * @param tasks including the target's neighbours on both sides, see `Wanted.around`
 * @param nextTask id of the next new task, which must come after all of these
 */
export function ranksFor(
  tasks: ReadonlyMap<number, Task>,
  ids: number[],
  place: Place,
  nextTask: number,
): Map<number, string> {
  const target = tasks.get(placeTarget(place) as number) as Task;
  const moving = new Set(ids);
  const line = [...tasks.values()]
    .filter((task) => !moving.has(task.id) && (isOpenTask(task) || task === target))
    .sort(byRank);
  const at = line.indexOf(target) + (place.before === undefined ? 1 : 0);
  const end = rankOf(nextTask);
  const most = NEIGHBOURS - moving.size - 1; // further neighbours may not be loaded
  for (let reach = 0; ; reach = Math.min(Math.max(reach * 2, REDEALT), most)) {
    const above = line.slice(Math.max(0, at - reach), at);
    const below = line.slice(at, at + reach);
    const low = line[at - reach - 1]?.rank ?? null;
    const high = line[at + reach]?.rank ?? (low === null || low < end ? end : null);
    if (low !== null && high !== null && low >= high && reach < most) continue;
    const order = [...above.map(({ id }) => id), ...moving, ...below.map(({ id }) => id)];
    const keys = generateNKeysBetween(low, high, order.length);
    const longest = reach === 0 ? LONGEST : LONGEST / 2;
    if (reach < most && keys.some((key) => key.length > longest)) continue;
    return new Map(order.map((id, i) => [id, keys[i] as string]));
  }
}

const byRank = (a: Task, b: Task) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.id - b.id);
