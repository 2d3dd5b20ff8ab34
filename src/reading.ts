import type { RenderContext } from './answers/shapes.js';
import type { UserTx } from './db/scope.js';

/** What a read may use besides the user's rows. */
export interface ReadContext {
  now: Date;
  /** Signs page cursors. */
  secret: Buffer;
  /** Whether the caller asked for more than the default token budget. */
  detailed: boolean;
  /** The client's name. */
  callerName: string;
}

/**
 * A read in two phases: it finds rows, and returns a function that renders them. That is called once the database has
 * answered, when the user's timezone is known.
 */
export type Reading<T> = (tx: UserTx, context: ReadContext) => Promise<(rendering: RenderContext) => T>;

export const reading =
  <Found, T>(
    find: (tx: UserTx, context: ReadContext) => Promise<Found>,
    render: (found: Found, context: RenderContext) => T,
  ): Reading<T> =>
  async (tx, context) => {
    const found = await find(tx, context);
    return (rendering) => render(found, rendering);
  };
