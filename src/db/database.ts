/** A row as an array, in the order of the selected columns. Times stay text, as the server wrote them. */
export type Row = unknown[];

/** One checked-out connection. Calls run in the order they are made. */
export interface Connection {
  /**
   * Runs one statement. Statements sent without awaiting an answer are pipelined in one round trip: if one fails, those
   * after it are not run, and the calls of all of them reject.
   */
  query(text: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Runs several statements in one string, without parameters. Returns the rows of each. */
  script(text: string): Promise<Row[][]>;
}

/** How many callers may wait for a connection. */
export const MAX_WAITING = 256;

/** A backend: PGlite, PostgreSQL or Neon. */
export interface Database {
  readonly kind: 'pglite' | 'postgres' | 'neon';
  /**
   * Lends a connection to `work` exclusively and always takes it back. A connection that `work` left broken or
   * inside a transaction is discarded (PGlite's only one is rolled back).
   *
   * @param options.patient waits for answers without a timeout, for work that is not a user's call
   * @throws Unreachable if there is no connection; Busy if too many callers already wait for one
   */
  connect<T>(work: (connection: Connection) => Promise<T>, options?: { patient?: boolean }): Promise<T>;
  /**
   * Listens on a channel over a connection of its own, on Neon one that bypasses the pooler. Calls `lost` once if the
   * connection breaks. Returns a function that stops listening. Absent on PGlite, which no other process can notify.
   */
  listen?(channel: string, heard: (message: string) => void, lost: () => void): Promise<() => void>;
  /** Called with every statement before it runs: for the tests' statement spy and for counting. */
  onStatement?: ((text: string, params: readonly unknown[]) => void) | undefined;
  close(): Promise<void>;
}
