import type { Connection, Row } from './database.js';
import type { Statement } from './pipeline.js';

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
