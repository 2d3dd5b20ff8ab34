import { distance } from 'fastest-levenshtein';

/**
 * A name as it is compared: compatibility forms and case folded, without regard to the locale of whoever
 * asks (a Turkish machine finds the same projects).
 */
export function nameKey(name: string): string {
  return fold(name.replace(/\s+/g, ' ').trim());
}

const digits = (key: string) => key.replace(/\D/g, '');
const letters = (key: string) => [...key].sort().join('');

/**
 * Whether two names, as they are compared, differ by a slip of the finger: not by a number, as "sprint 1" and
 * "sprint 2", nor by one of two letters, as "ui" and "ux".
 */
function isSlip(key: string, other: string): boolean {
  const length = Math.min(key.length, other.length);
  if (key === other || length < 3 || Math.abs(key.length - other.length) > 2 || digits(key) !== digits(other))
    return false;
  const apart = distance(key, other);
  return apart <= (length < 5 ? 1 : 2) || (apart === 2 && letters(key) === letters(other));
}

/** Whether they differ by a slip, or by what is around the same word. */
export function isNear(key: string, other: string): boolean {
  const [short, long] = key.length < other.length ? [key, other] : [other, key];
  return isSlip(key, other) || (short !== long && short.length >= 4 && ` ${long} `.includes(` ${short} `));
}

/** A name that is new, and those in use that are written almost like it. */
export interface SimilarName {
  of: 'project' | 'label';
  name: string;
  alike: string[];
}

/** How many new names are compared with others, a bound on work, and how many are told of that are written alike. */
const [COMPARED, MAX_ALIKE] = [10, 3];

/** Which of some names are new and written almost like others: whoever gave them may have meant those. */
export function similarNames(of: SimilarName['of'], names: string[], inUse: string[]): SimilarName[] {
  const known = inUse.map((name) => ({ name, key: nameKey(name) }));
  const keys = new Set(known.map(({ key }) => key));
  const fresh = [...new Map(names.map((name) => [nameKey(name), name]))].filter(([key]) => !keys.has(key));
  return fresh.slice(0, COMPARED).flatMap(([key, name]) => {
    const alike = known.filter((other) => isNear(other.key, key)).map((other) => other.name);
    return alike.length > 0 ? [{ of, name, alike: alike.slice(0, MAX_ALIKE) }] : [];
  });
}

/** How many names are offered instead of one that is not there. */
const OFFERED = 5;

/** Of the names that there are, those which may be meant by one that is not among them; any, where none may. */
export function offeredFor(name: string, names: string[]): { name: string }[] {
  const key = nameKey(name);
  const isMeant = (other: string) => other.includes(key) || key.includes(other) || isSlip(other, key);
  const near = names.filter((each) => isMeant(nameKey(each)));
  return (near.length > 0 ? near : names).slice(0, OFFERED).map((each) => ({ name: each }));
}

/** The word by which callers mean that there is no project, no priority or no date. No project is given that name. */
export const isNone = (name: string): boolean => nameKey(name) === 'none';

/** `İ` becomes `i` and a combining dot, which goes: Turkish writers mean one letter by it and its lower case. */
const fold = (text: string) =>
  text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC').replaceAll('i\u0307', 'i');

/** A title as who means one task writes it: case, accents of Latin, Greek and Cyrillic letters, and what ends words aside. */
export const exactTitle = (title: string): string =>
  fold(title)
    .normalize('NFD')
    .replace(/(?<=[\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}]\p{M}*)\p{M}/gu, '')
    .split(/\s+/)
    .map((word) => word.replace(/^["'“”‘’(]+|["'“”‘’).,;:!?…]+$/gu, '') || word)
    .join(' ')
    .trim();

/** A title as it is looked for: its words, folded and without accents, in alphabetical order. */
export function titleKey(title: string): string {
  const plain = fold(title)
    .normalize('NFD')
    .replace(/\p{M}+/gu, '');
  const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [plain];
  return [...words.sort().join(' ')].slice(0, 400).join('');
}
