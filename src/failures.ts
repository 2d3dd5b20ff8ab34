import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { CommitUnknown, isBusy, isUnreachable, setupMistake, sqlState } from './db/database-errors.js';
import {
  internal,
  type Refusal,
  refusalIn,
  setupRefusal,
  UsageError,
  unavailable,
  unusableDatabase,
} from './errors.js';
import { framesOf } from './log.js';
import type { OutageLog } from './transports/outage.js';

/** Turns any error into a refusal, and logs it unless it is one. For unexpected errors, only a reference is sent. */
export function asRefusal(
  { log, outages }: { log: Logger; outages: OutageLog },
  tool: string,
  error: unknown,
): Refusal {
  const refusal = refusalIn(error);
  if (refusal) return refusal;
  const state = sqlState(error);
  const again = 'Try again in a moment. If you repeat a write, keep its request_id; it will not be applied twice.';
  if (error instanceof UsageError) {
    log.error({ tool, where: error.where }, error.message);
    return setupRefusal(error);
  }
  if (error instanceof CommitUnknown) {
    log.warn({ tool, state }, 'connection lost while committing');
    return unavailable(
      'The connection to the task database broke during the commit: the write may have succeeded.',
      'Repeat it with the same request_id; without one, check before you repeat it.',
    );
  }
  const mistake = setupMistake(error);
  if (mistake) {
    log.error({ tool, state }, mistake);
    return unusableDatabase(mistake);
  }
  if (isBusy(error)) {
    outages.busy();
    return unavailable('The task database is busy.', again);
  }
  if (isUnreachable(error)) {
    outages.unreachable(error);
    return unavailable('The task database cannot be reached.', again);
  }
  const reference = randomBytes(4).toString('hex');
  log.error({ tool, reference, state, at: framesOf(error) }, 'unforeseen failure');
  return internal(`Something went wrong inside Taskloom (reference ${reference}).`, again);
}
