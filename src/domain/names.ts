/**
 * A name as it is compared: compatibility forms and case folded, without regard to the locale of whoever
 * asks (a Turkish machine finds the same projects).
 */
export function nameKey(name: string): string {
  return fold(name.replace(/\s+/g, ' ').trim());
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
