import type { Statement } from './pipeline.js';

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

/** A backend: PGlite, PostgreSQL or Neon. */
export interface Database {
  readonly kind: 'pglite' | 'postgres' | 'neon';
  /**
   * Lends a connection to `work` exclusively and always takes it back. A connection that `work` left broken or
   * inside a transaction is discarded (PGlite's only one is rolled back).
   *
   * @param patient waits for answers without a timeout, for work that is not a user's call
   * @throws Unreachable if there is no connection; Busy if too many callers already wait for one
   */
  connect<T>(work: (connection: Connection) => Promise<T>, patient?: boolean): Promise<T>;
  /**
   * Listens on a channel over a connection of its own, on Neon one that bypasses the pooler. Calls `lost` once if the
   * connection breaks. Returns a function that stops listening. Absent on PGlite, which no other process can notify.
   */
  listen?(channel: string, heard: (message: string) => void, lost: () => void): Promise<() => void>;
  /** Called with every statement before it runs: for the tests' statement spy and for counting. */
  onStatement?: ((text: string, params: readonly unknown[]) => void) | undefined;
  close(): Promise<void>;
}

/** Pipelines queries that are made without awaiting an answer, and runs these batches and scripts in order. */
export class PipelinedConnection implements Connection {
  /** Whether it is, or may be, inside a transaction. */
  inTransaction = false;
  readonly #sendBatch: (statements: Statement[]) => Promise<Row[][]>;
  readonly #runScript: (text: string) => Promise<Row[][]>;
  #before: Promise<unknown> = Promise.resolve();
  /** The batch that still accepts statements. */
  #batch: { statements: Statement[]; answers: Promise<Row[][]> } | undefined;

  constructor(sendBatch: (statements: Statement[]) => Promise<Row[][]>, runScript: (text: string) => Promise<Row[][]>) {
    this.#sendBatch = sendBatch;
    this.#runScript = runScript;
  }

  async query(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    this.#batch ??= this.#openBatch();
    const { statements, answers } = this.#batch;
    const ordinal = statements.push({ text, params }) - 1;
    return (await answers)[ordinal] ?? [];
  }

  script(text: string): Promise<Row[][]> {
    this.#batch = undefined;
    return this.#inOrder(() => this.#trackTransaction(text, text, () => this.#runScript(text)));
  }

  #openBatch() {
    const statements: Statement[] = [];
    const answers = this.#inOrder(async () => {
      await new Promise<void>((resolve) => process.nextTick(resolve)); // lets callers add to the batch
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

/** Too many callers already wait for a connection. */
export class Busy extends Unreachable {}

/** How many callers may wait for a connection. */
export const MAX_WAITING = 256;

/** The connection broke during a COMMIT: the transaction may or may not have been committed. */
export class CommitUnknown extends Unreachable {
  constructor(
    cause: unknown,
    /** What was attempted, for the caller to find out whether it was committed. */
    readonly attempt: unknown,
  ) {
    super(cause);
  }
}

/** Returns the SQLSTATE of a database error, however deeply libraries wrapped it. */
export function sqlState(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = (e as { code?: unknown }).code;
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code)) return code;
  }
  return undefined;
}

/**
 * SQLSTATEs after which a connection is of no more use: the server has become read-only (after a failover), or it has
 * ended the session for its idle or transaction time.
 */
const LOST_CONNECTION = ['25006', '25P03', '25P04'];

/** Whether an error means that the database is down, starting, stopping or out of connections, or the link broke. */
export function isUnreachable(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof Unreachable) return true;
  const state = sqlState(error);
  if (state === undefined) return false;
  return state.startsWith('08') || state.startsWith('57P') || state === '53300' || LOST_CONNECTION.includes(state);
}

/** Whether an error means that the plan of a prepared statement is outdated, after a migration. */
export const isOutdatedPlan = (error: unknown): boolean => sqlState(error) === '0A000';

/**
 * Whether an error means that a prepared statement is missing or already exists (behind a pooler that gives each
 * transaction another connection), or that its plan is outdated (after a migration). The transaction had no effect.
 */
export function isStaleStatement(error: unknown): boolean {
  return isOutdatedPlan(error) || ['26000', '42P05'].includes(String(sqlState(error)));
}

/** Whether an error means overload or contention: too many callers, a lock or statement timeout, a deadlock. */
export function isBusy(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof Busy) return true;
  return ['55P03', '57014', '40001', '40P01'].includes(sqlState(error) ?? '');
}

/** Returns what the person who set up the server must fix, if an error means that; otherwise undefined. */
export function setupMistake(error: unknown): string | undefined {
  const state = sqlState(error);
  if (state === '28000' && /no encryption|SSL off/.test((error as Error).message))
    return 'its server refused a connection without TLS: add sslmode=verify-full to its address';
  if (state?.startsWith('28')) return 'it refused the user name or password';
  if (state === '3D000') return 'its server has no database of that name';
  return tlsMistake(error);
}

/** Returns why a TLS connection could not be established, and what to do; undefined for other errors. */
function tlsMistake(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = String((e as NodeJS.ErrnoException).code);
    if (e.message === 'The server does not support SSL connections')
      return 'its server does not offer TLS, which the sslmode in its address requires. Enable TLS there; use sslmode=disable only on a network that you trust';
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
      return 'the certificate of its server is for another host name: use a host name that the certificate has';
    if (/CERT|^UNABLE_TO_|^INVALID_(CA|PURPOSE)$/.test(code))
      return `the certificate of its server is not trusted (${code}). Add sslrootcert=/path/to/ca.pem to its address, with the certificate of the authority that issued it`;
    if (/^ERR_(SSL|OSSL)_|^EPROTO$/.test(code)) return `no TLS connection to its server could be made (${code})`;
  }
  return undefined;
}
