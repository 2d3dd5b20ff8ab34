export const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
export const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];

export const CARDINALS = 'one two three four five six seven eight nine ten eleven twelve'.split(' ');
export const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'];

/** Regular expression sources, for text in lower case. */
export const WEEKDAY =
  'mon(?:day)?|tue(?:s|sday)?|wed(?:s|nesday)?|thu(?:rs?|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?';
export const ORDINAL = '([1-9]\\d?)(?:st|nd|rd|th)';

/** Returns the number, from 1, of the weekday or month with the same first three letters as `word`, or 0. */
export const numberOf = (names: readonly string[], word: string) =>
  names.findIndex((name) => name.slice(0, 3).toLowerCase() === word.slice(0, 3)) + 1;

/** Returns the short name (`Mon`, `Nov`) of a weekday or month, numbered from 1. */
export const shortName = (names: readonly string[], number: number) => names[number - 1]?.slice(0, 3) ?? '';

/** Returns the number, from 1, of the name that a word is in full, in the plural or short (`tue`, `tues`, `sept`). */
export function numberOfName(names: readonly string[], word: string): number | undefined {
  const number = numberOf(names, word);
  const name = names[number - 1]?.toLowerCase();
  const stem = word.length > 4 ? word.replace(/s$/, '') : word;
  return name === stem || name?.slice(0, 5).startsWith(word) ? number : undefined;
}

/** Formats `1st`, and -1 as `last`. */
export function ordinal(n: number): string {
  if (n === -1) return 'last';
  const teen = n % 100 > 10 && n % 100 < 14;
  return `${n}${(!teen && ['th', 'st', 'nd', 'rd'][n % 10]) || 'th'}`;
}
