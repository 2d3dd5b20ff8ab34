import { writeSync } from 'node:fs';
import { type Logger, pino } from 'pino';

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
export function framesOf(error: unknown): string[] {
  const frames: string[] = [];
  for (let e = error; e instanceof Error; e = e.cause)
    frames.push(
      e.name,
      ...(e.stack ?? '')
        .split('\n')
        .filter((each) => /^\s+at /.test(each))
        .slice(0, 8)
        .map((each) => each.trim()),
    );
  return frames;
}
