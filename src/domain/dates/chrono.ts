import type { Chrono, ParsedResult } from 'chrono-node/en';
import { LazyModule } from '../lazy-module.js';

type Reader = 'monthFirst' | 'dayFirst' | 'amounts';

/** The library that reads dates in words. */
export const dateReaders = new LazyModule<Record<Reader, Chrono>>(async () => {
  const { Chrono, casual, configuration, strict } = await import('chrono-node/en');
  return { monthFirst: strict, dayFirst: new Chrono(configuration.createConfiguration(true, true)), amounts: casual };
});

/**
 * What chrono is told is now. It reckons with the machine's clocks, and around 1204 no zone has changed them yet: what
 * it adds up is the same on every machine. The year has a 29 February.
 */
export const ASKED = { year: 1204, month: 1, day: 1 };

/** Has chrono read a text. What it does not take as a whole, for one thing that is no range, is not read. */
export function ask(reader: Reader, text: string): ParsedResult['start'] | undefined {
  const [found, ...more] = dateReaders.get()[reader].parse(text, new Date(ASKED.year, ASKED.month - 1, ASKED.day));
  return found?.text === text && !found.end && more.length === 0 ? found.start : undefined;
}
