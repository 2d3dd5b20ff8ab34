import type { Chrono, ParsedResult } from 'chrono-node/en';
import { LazyModule } from '../lazy-module.js';

type Reader = 'monthFirst' | 'dayFirst' | 'amounts';

/** chrono-node, which parses dates in English; loaded on first use. */
export const dateReaders = new LazyModule<Record<Reader, Chrono>>(async () => {
  const { Chrono, casual, configuration, strict } = await import('chrono-node/en');
  return { monthFirst: strict, dayFirst: new Chrono(configuration.createConfiguration(true, true)), amounts: casual };
});

/**
 * The reference date passed to chrono, which calculates in the machine's local time. Around 1204 no zone has clock
 * changes, so results are the same on every machine. 1204 is a leap year.
 */
export const REFERENCE_DATE = { year: 1204, month: 1, day: 1 };

/** Parses a text with chrono. Returns undefined unless chrono takes the whole text as a single result, not a range. */
export function parseWithChrono(reader: Reader, text: string): ParsedResult['start'] | undefined {
  const [result, ...more] = dateReaders
    .get()
    [reader].parse(text, new Date(REFERENCE_DATE.year, REFERENCE_DATE.month - 1, REFERENCE_DATE.day));
  return result?.text === text && !result.end && more.length === 0 ? result.start : undefined;
}
