// How things are timed, and what is said of many times.

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

/** Milliseconds as a person reads them. */
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
 * Times each of `runs` once a round, so that whatever else the machine does meanwhile is borne by all alike. Every
 * other round goes backwards: who comes after whom must not count either.
 *
 * @returns the times of each by name, without those of the warm-up
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
 * Keeps so many calls in flight for so long. Answers how many were done each second, and how long each took. All
 * connections are there when the time begins: a server that is busy takes one new one each time it looks.
 */
export async function pressed(call, { inFlight, seconds }) {
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

/** The slope of a straight line through points, by least squares. */
export function slope(points) {
  const mean = (index) => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / over;
}

/** The same numbers in every run. */
export function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) / 0x800000;
  };
}

const ends = [];
/** What is to be put away once a section is done, last first. */
export const afterwards = (work) => void ends.push(work);
export async function putAway() {
  while (ends.length > 0)
    await ends
      .pop()()
      .catch((error) => console.error(`putting away: ${error.message}`));
}
