import { writeSync } from 'node:fs';
import { type Logger, pino } from 'pino';
import { causes } from './errors.js';

/**
 * Logs to stderr, because stdout carries the protocol. Writes synchronously, so nothing is lost on exit. Lines that
 * cannot be written are dropped; pino's own destination would retry forever on a full disk, blocking the process.
 */
export const makeLog = (level: string): Logger => pino({ level, base: null }, { write });

function write(text: string): void {
  try {
    writeSync(2, text);
  } catch {}
}

/** Returns the names and stack frames of an error and its causes. Not messages: a database's may contain user data. */
export const framesOf = (error: unknown): string[] =>
  causes(error).flatMap(({ name, stack = '' }) => {
    const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
    return [name, ...frames.slice(0, 8).map((frame) => frame.trim())];
  });
