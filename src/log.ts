import { writeSync } from 'node:fs';
import { type Logger, pino } from 'pino';

/**
 * Logs on stderr: stdout belongs to the protocol. Written at once, so that nothing is lost when the process ends. What
 * cannot be written is: pino's own destination would try for ever on a full disk, and nothing else would be done.
 */
export const makeLog = (level: string): Logger => pino({ level, base: null }, { write });

function write(text: string): void {
  try {
    writeSync(2, text);
  } catch {}
}

/** Where an error came from, and of what kind it is. Never its message: a database's may hold people's words. */
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
