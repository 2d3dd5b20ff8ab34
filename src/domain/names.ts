import { distance } from 'fastest-levenshtein';

/**
 * Returns the key by which names are compared: white space collapsed, case and compatibility forms folded, independent
 * of the locale (a Turkish machine finds the same projects).
 */
export function nameKey(name: string): string {
  return fold(name.replace(/\s+/g, ' ').trim());
}

const digits = (key: string) => key.replace(/\D/g, '');
const letters = (key: string) => [...key].sort().join('');

/**
 * Whether two name keys differ by a typo. Not if they differ in a number ("sprint 1", "sprint 2") or one has fewer than
 * three letters ("ui", "ux").
 */
function isSlip(key: string, other: string): boolean {
  const length = Math.min(key.length, other.length);
  if (key === other || length < 3 || Math.abs(key.length - other.length) > 2 || digits(key) !== digits(other))
    return false;
  const apart = distance(key, other);
  return apart <= (length < 5 ? 1 : 2) || (apart === 2 && letters(key) === letters(other));
}

/** Whether two name keys differ by a typo, or one contains the other (of at least 4 characters) as whole words. */
export function isSimilarKey(key: string, other: string): boolean {
  const [short, long] = key.length < other.length ? [key, other] : [other, key];
  return isSlip(key, other) || (short !== long && short.length >= 4 && ` ${long} `.includes(` ${short} `));
}

/** A new name, and existing names spelled almost like it. */
export interface SimilarName {
  of: 'project' | 'label';
  name: string;
  alike: string[];
}

/** Maximum number of new names compared, to limit the work, and of similar names reported for each. */
const [COMPARED, MAX_ALIKE] = [10, 3];

/** Finds the names that are new and spelled almost like existing ones, which the caller may have meant. */
export const similarNewNames = (
  { projects, labels }: { projects: string[]; labels: string[] },
  existing: { projectNames: string[]; labelNames: string[] },
): SimilarName[] => [
  ...similarNames('project', projects, existing.projectNames),
  ...similarNames('label', labels, existing.labelNames),
];

function similarNames(of: SimilarName['of'], names: string[], inUse: string[]): SimilarName[] {
  const known = inUse.map((name) => ({ name, key: nameKey(name) }));
  const keys = new Set(known.map(({ key }) => key));
  const fresh = [...new Map(names.map((name) => [nameKey(name), name]))].filter(([key]) => !keys.has(key));
  return fresh.slice(0, COMPARED).flatMap(([key, name]) => {
    const alike = known.filter((other) => isSimilarKey(other.key, key)).map((other) => other.name);
    return alike.length > 0 ? [{ of, name, alike: alike.slice(0, MAX_ALIKE) }] : [];
  });
}

/** Maximum number of existing names offered for an unknown one. */
const OFFERED = 5;

/** Returns the existing names that an unknown one may mean; if none is similar, the first ones. */
export function suggestNames(name: string, names: string[]): { name: string }[] {
  const key = nameKey(name);
  const isMeant = (other: string) => other.includes(key) || key.includes(other) || isSlip(other, key);
  const near = names.filter((each) => isMeant(nameKey(each)));
  return (near.length > 0 ? near : names).slice(0, OFFERED).map((each) => ({ name: each }));
}

/** Whether a name is `none`, which means no project, no priority or no date. No project may have that name. */
export const isNone = (name: string): boolean => name.length <= MAX_NONE_LENGTH && nameKey(name) === 'none';

/** Longer text is not normalized to find out whether it is `none`. */
const MAX_NONE_LENGTH = 100;

/** `İ` becomes `i` and a combining dot, which goes: Turkish writers mean one letter by it and its lower case. */
const fold = (text: string) =>
  text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC').replaceAll('i\u0307', 'i');

/**
 * Normalizes a title for exact comparison: ignores case, accents of Latin, Greek and Cyrillic letters, and quotes,
 * brackets and punctuation around words.
 */
export const exactTitle = (title: string): string =>
  fold(title)
    .normalize('NFD')
    .replace(/(?<=[\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}]\p{M}*)\p{M}/gu, '')
    .split(/\s+/)
    .map((word) => word.replace(/^["'“”‘’(]+|["'“”‘’).,;:!?…]+$/gu, '') || word)
    .join(' ')
    .trim();

/** Returns the search key of a title: its words, folded and without accents, sorted; at most 400 characters. */
export function titleKey(title: string): string {
  const plain = fold(title)
    .normalize('NFD')
    .replace(/\p{M}+/gu, '');
  const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [plain];
  return [...words.sort().join(' ')].slice(0, 400).join('');
}
