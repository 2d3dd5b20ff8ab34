// Timing, and statistics of measured times.

export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

export const median = (values) => quantile(values, 0.5);

const summary = (values) => ({
  p50: quantile(values, 0.5),
  p95: quantile(values, 0.95),
  p99: quantile(values, 0.99),
  min: quantile(values, 0),
  max: quantile(values, 1),
});

/** Formats milliseconds with about three significant digits. */
export const ms = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

export const SUMMARY_COLUMNS = ['p50 ms', 'p95', 'p99', 'min–max'];
export function summaryCells(values) {
  const { p50, p95, p99, min, max } = summary(values);
  return [ms(p50), ms(p95), ms(p99), `${ms(min)}–${ms(max)}`];
}

async function time(work) {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/**
 * Times each of `runs` once per round, so that other load on the machine affects all of them equally. Every other round
 * runs in reverse order, so that the order has no effect either.
 *
 * @returns the times by name, without the warm-up rounds
 */
export async function interleave(runs, { rounds, warmup = 0 }) {
  const names = Object.keys(runs);
  const times = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -warmup; round < rounds; round++) {
    for (const name of round % 2 ? names.toReversed() : names) {
      const took = await time(() => runs[name](round + warmup));
      if (round >= 0) times[name].push(took);
    }
  }
  return times;
}

/**
 * Keeps `inFlight` calls in flight for `seconds`, and returns the throughput and the time of each call. One untimed round
 * of calls opens all connections first: a busy server accepts new ones slowly.
 */
export async function runLoad(call, { inFlight, seconds }) {
  await Promise.all(Array.from({ length: inFlight }, call));
  const times = [];
  const from = performance.now();
  const until = from + seconds * 1000;
  const worker = async () => {
    while (performance.now() < until) times.push(await time(call));
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return { perSecond: (times.length * 1000) / (performance.now() - from), times };
}

/** Returns the slope of a straight line fitted to points by least squares. */
export function slope(points) {
  const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / over;
}

/** Returns a generator of pseudo-random numbers from 0 to 1, the same for the same seed. */
export function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) / 0x800000;
  };
}

const cleanups = [];
/** Registers a cleanup to run at the end of the section, in reverse order of registration. */
export const onCleanup = (work) => void cleanups.push(work);
export async function runCleanups() {
  while (cleanups.length > 0)
    await cleanups
      .pop()()
      .catch((error) => console.error(`cleanup failed: ${error.message}`));
}
