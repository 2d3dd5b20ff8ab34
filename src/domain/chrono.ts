import type { Chrono, ParsedResult } from 'chrono-node/en';

type Reader = 'monthFirst' | 'dayFirst' | 'amounts';

let readers: Record<Reader, Chrono> | undefined;

/** Loads the library that reads dates: to be awaited before words are read, and never by who only lists tools. */
export async function loadDateReader(): Promise<void> {
  if (readers) return;
  const { Chrono, casual, configuration, strict } = await import('chrono-node/en');
  readers = {
    monthFirst: strict,
    dayFirst: new Chrono(configuration.createConfiguration(true, true)),
    amounts: casual,
  };
}

/**
 * What chrono is told is now. It reckons with the machine's clocks, and around 1204 no zone has changed them yet: what
 * it adds up is the same on every machine. The year has a 29 February.
 */
export const ASKED = { year: 1204, month: 1, day: 1 };

/** @throws Error if nobody has awaited `loadDateReader` */
export function dateReaders(): Record<Reader, Chrono> {
  if (!readers) throw new Error('Words for a date were read before loadDateReader() was awaited.');
  return readers;
}

/** Has chrono read a text. What it does not take as a whole, for one thing that is no range, is not read. */
export function ask(reader: Reader, text: string): ParsedResult['start'] | undefined {
  const [found, ...more] = dateReaders()[reader].parse(text, new Date(ASKED.year, ASKED.month - 1, ASKED.day));
  return found?.text === text && !found.end && more.length === 0 ? found.start : undefined;
}
