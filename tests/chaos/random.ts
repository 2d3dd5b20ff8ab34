/** Number of rounds of a random test: TASKLOOM_CHAOS_ROUNDS, or `few` if unset. */
export const rounds = (few: number) => Number(process.env.TASKLOOM_CHAOS_ROUNDS ?? few);

export interface Random {
  seed: number;
  /** From 0 to 1. */
  next(): number;
  /** From 1 to `max`. */
  upTo(max: number): number;
  pick<T>(all: readonly T[]): T;
}

/** Returns pseudo-random numbers that are the same for the same seed. */
export function randomFrom(seed: number): Random {
  let state = seed % 2_147_483_648;
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  const upTo = (max: number) => 1 + Math.floor(next() * max);
  return { seed, next, upTo, pick: (all) => all[upTo(all.length) - 1] as never };
}

/** Prints the seed that repeats the run, and returns its random numbers. */
export function newRandom(): Random {
  const seed = Number(process.env.TASKLOOM_CHAOS_SEED ?? Date.now() % 1_000_000);
  console.log(`TASKLOOM_CHAOS_SEED=${seed}`);
  return randomFrom(seed);
}
