import { expect, test } from 'vitest';
import { nameKey, titleKey } from '../../src/domain/names.js';

test('names that people take for one have one key, on any machine', () => {
  for (const [a, b] of [
    ['Home', ' home '],
    ['Straße', 'STRASSE'],
    ['Ｗｏｒｋ', 'work'],
    ['ﬁle', 'FILE'],
    ['two  words', 'Two words'],
    ['ΌΣΟΣ', 'όσος'],
    ['İŞ', 'iş'],
    ['İstanbul', 'istanbul'],
  ])
    expect(nameKey(String(a)), a).toBe(nameKey(String(b)));
  expect(nameKey('I')).toBe('i'); // not the dotless one of a Turkish machine
  expect(nameKey('cafe')).not.toBe(nameKey('café'));
});

test('titles compare by their words, without case, accents, order or punctuation', () => {
  expect(titleKey('Réserver: le TRAIN!')).toBe(titleKey('train le reserver'));
  expect(titleKey('Pay rent')).not.toBe(titleKey('Pay the rent'));
  expect(titleKey('🦓')).toBe('🦓');
  expect(titleKey('牛奶')).toBe('牛奶');
});
