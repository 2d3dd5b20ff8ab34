import type { Repeat } from '../db/schema.js';
import type { When } from './when.js';

/** Placeholder until the module of that name lands. */
export function isRepeat(text: string): boolean {
  return text.startsWith('every');
}
export function parseRepeat(
  _text: string,
  due: When | null,
  { now }: { now: Date; timezone: string },
): { repeat: Repeat; due: When } {
  const anchor = (due ?? now.toISOString()).slice(0, 10);
  return { repeat: { rule: 'FREQ=DAILY', from: 'due', anchor, occurrence: anchor }, due: due ?? anchor };
}
export function afterCompletion(
  repeat: Repeat,
  due: When,
  _context: { now: Date; timezone: string },
): { repeat: Repeat; due: When } | null {
  return { repeat, due };
}
export function sayRepeat(repeat: Repeat): string {
  return repeat.rule;
}
export function upcoming(_repeat: Repeat, due: When, _context: { timezone: string }): When[] {
  return [due];
}
