import { type Logger, pino } from 'pino';

/** Logs on stderr: stdout belongs to the protocol. Written at once, so that nothing is lost when the process ends. */
export const makeLog = (level: string): Logger =>
  pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
