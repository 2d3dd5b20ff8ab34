/** How often something is tried that goes by chance: a few times, or as often as TASKLOOM_CHAOS_ROUNDS says. */
export const rounds = (few: number) => Number(process.env.TASKLOOM_CHAOS_ROUNDS ?? few);

export interface Chance {
  seed: number;
  /** From 0 to 1. */
  next(): number;
  /** From 1 to `max`. */
  some(max: number): number;
  pick<T>(all: readonly T[]): T;
}

/** Numbers that are the same for a seed. */
export function chanceOf(seed: number): Chance {
  let state = seed % 2_147_483_648;
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  const some = (max: number) => 1 + Math.floor(next() * max);
  return { seed, next, some, pick: (all) => all[some(all.length) - 1] as never };
}

/** Says how to repeat a run, and answers its numbers. */
export function chance(): Chance {
  const seed = Number(process.env.TASKLOOM_CHAOS_SEED ?? Date.now() % 1_000_000);
  console.log(`TASKLOOM_CHAOS_SEED=${seed}`);
  return chanceOf(seed);
}
