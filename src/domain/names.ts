import { distance } from 'fastest-levenshtein';

/**
 * A name as it is compared: compatibility forms and case folded, without regard to the locale of whoever
 * asks (a Turkish machine finds the same projects).
 */
export function nameKey(name: string): string {
  return fold(name.replace(/\s+/g, ' ').trim());
}

/** Whether two names, as they are compared, differ by a slip of the finger. */
export function isSlip(key: string, other: string): boolean {
  const most = Math.min(key.length, other.length) < 4 ? 1 : 2;
  return key !== other && Math.abs(key.length - other.length) <= most && distance(key, other) <= most;
}

/** Whether they differ by a slip, or by what is around the same word. */
export function isNear(key: string, other: string): boolean {
  const [short, long] = key.length < other.length ? [key, other] : [other, key];
  return isSlip(key, other) || (short !== long && short.length >= 4 && ` ${long} `.includes(` ${short} `));
}

/** The word by which callers mean that there is no project, no priority or no date. No project is given that name. */
export const isNone = (name: string): boolean => nameKey(name) === 'none';

const fold = (text: string) => text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');

/** A title as it is compared: its words, folded and without accents, in alphabetical order. */
export function titleKey(title: string): string {
  const plain = fold(title)
    .normalize('NFD')
    .replace(/\p{M}+/gu, '');
  const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [plain];
  return [...words.sort().join(' ')].slice(0, 400).join('');
}
