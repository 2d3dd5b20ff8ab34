import type { Statement } from './pipeline.js';

/** A row as an array, in the order of the selected columns. Times stay text, as the server wrote them. */
export type Row = unknown[];

/** One checked-out connection. Calls run in the order they are made. */
export interface Connection {
  /**
   * One statement. Those that are sent without waiting for an answer go together, in one flight: where one fails, those
   * after it are not run, and all of them fail with it.
   */
  query(text: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Several statements in one string, without parameters. Answers the rows of each. */
  script(text: string): Promise<Row[][]>;
}

/** What the code above knows of a backend: PGlite, PostgreSQL or Neon. */
export interface Database {
  readonly kind: 'pglite' | 'postgres' | 'neon';
  /**
   * Lends a connection to `work`, alone, and takes it back whatever happens; a connection that `work`
   * left broken or inside a transaction is thrown away. Throws `Unreachable` where none is to be had.
   *
   * @param patient whether an answer may take any time, and not only as long as what a user asks for
   */
  connect<T>(work: (connection: Connection) => Promise<T>, patient?: boolean): Promise<T>;
  /**
   * Hears what is said on a channel, on a connection that goes past any pooler; where there is but one process, there
   * is nothing to hear. Calls `lost` once if the connection breaks. Answers how to stop.
   */
  listen?(channel: string, heard: (message: string) => void, lost: () => void): Promise<() => void>;
  /** Told of every statement, before it runs. For the tests' statement spy and for counting. */
  onStatement?: ((text: string, params: readonly unknown[]) => void) | undefined;
  close(): Promise<void>;
}

/** A connection, of what sends one flight or one script over it. */
export class PipelinedConnection implements Connection {
  /** Whether it is, or may be, inside a transaction. */
  inTransaction = false;
  readonly #sendBatch: (statements: Statement[]) => Promise<Row[][]>;
  readonly #runScript: (text: string) => Promise<Row[][]>;
  #before: Promise<unknown> = Promise.resolve();
  /** The flight that takes more statements. */
  #batch: { statements: Statement[]; answers: Promise<Row[][]> } | undefined;

  constructor(sendBatch: (statements: Statement[]) => Promise<Row[][]>, runScript: (text: string) => Promise<Row[][]>) {
    this.#sendBatch = sendBatch;
    this.#runScript = runScript;
  }

  async query(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    this.#batch ??= this.#openBatch();
    const { statements, answers } = this.#batch;
    const place = statements.push({ text, params }) - 1;
    return (await answers)[place] ?? [];
  }

  script(text: string): Promise<Row[][]> {
    this.#batch = undefined;
    return this.#inOrder(() => this.#trackTransaction(text, text, () => this.#runScript(text)));
  }

  #openBatch() {
    const statements: Statement[] = [];
    const answers = this.#inOrder(async () => {
      await new Promise<void>((resolve) => process.nextTick(resolve)); // until nobody has more to send
      if (this.#batch?.statements === statements) this.#batch = undefined;
      const [first, last] = [statements[0], statements.at(-1)] as [Statement, Statement];
      return this.#trackTransaction(first.text, last.text, () => this.#sendBatch(statements));
    });
    return { statements, answers };
  }

  #inOrder<T>(send: () => Promise<T>): Promise<T> {
    const sent = this.#before.then(send, send);
    this.#before = sent;
    return sent;
  }

  async #trackTransaction<T>(first: string, last: string, send: () => Promise<T>): Promise<T> {
    if (/^begin\b/.test(first)) this.inTransaction = true;
    const result = await send();
    if (/\b(commit|rollback)$/.test(last)) this.inTransaction = false;
    return result;
  }
}

/** The database cannot be reached, or the connection to it broke. */
export class Unreachable extends Error {
  constructor(cause?: unknown) {
    super('database unreachable', { cause });
  }
}

/** More wait for a connection already than will get one soon. */
export class Busy extends Unreachable {}

/** How many may wait for a connection. */
export const MAX_WAITING = 256;

/** The connection broke while a COMMIT was under way: what was written may be there, or not. */
export class CommitUnknown extends Unreachable {
  constructor(
    cause: unknown,
    /** What was attempted, for whoever finds out. */
    readonly attempt: unknown,
  ) {
    super(cause);
  }
}

/** SQLSTATE of a database error, wherever a library wrapped it. */
export function sqlState(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = (e as { code?: unknown }).code;
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code)) return code;
  }
  return undefined;
}

/** Whether an error means that the database is away, starting, stopping, full of connections, or that the line broke. */
export function isUnreachable(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof Unreachable) return true;
  const state = sqlState(error);
  return state !== undefined && (state.startsWith('08') || state.startsWith('57P') || state === '53300');
}

/**
 * Whether the database does not know a statement that was parsed before, or can no longer run it as it was: behind a
 * pooler that hands each transaction another connection, or after a migration. Nothing of the transaction took place.
 */
export function isStaleStatement(error: unknown): boolean {
  return ['26000', '42P05', '0A000'].includes(String(sqlState(error)));
}

/** Whether an error means that the database has too much to do, or that what it was asked took too long. */
export function isBusy(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof Busy) return true;
  return ['55P03', '57014', '40001', '40P01'].includes(sqlState(error) ?? '');
}

/** What whoever set up the server must put right, where a database says that it is such a thing. */
export function setupMistake(error: unknown): string | undefined {
  const state = sqlState(error);
  if (state?.startsWith('28')) return 'it refused the user name or password';
  if (state === '3D000') return 'its server has no database of that name';
  return undefined;
}
