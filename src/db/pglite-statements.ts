import type { PGlite } from '@electric-sql/pglite';
import { serialize } from 'pg-protocol';
import type { BackendMessage, DatabaseError, DataRowMessage, RowDescriptionMessage } from 'pg-protocol/dist/messages';
import { Parser } from 'pg-protocol/dist/parser';
import type { Row } from './database.js';
import { Pipeline, rowOf, type Statement, StatementCache } from './pipeline.js';

/** Runs statements in the embedded database, one pipeline or script at a time, each in one call into PGlite. */
export class EmbeddedStatements {
  readonly #pglite: PGlite;
  readonly #cache = new StatementCache();
  readonly #known = new Set<string>();
  readonly #failed: (error: Error) => void;

  /** @param failed called with every error of the database, before the caller gets it */
  constructor(pglite: PGlite, failed: (error: Error) => void) {
    this.#pglite = pglite;
    this.#failed = failed;
  }

  async runPipeline(statements: readonly Statement[]): Promise<Row[][]> {
    const pipeline = new Pipeline(statements, this.#cache, this.#known);
    for (const message of await this.#exchange(pipeline.messages()))
      if (message.name === 'rowDescription') pipeline.handleRowDescription(message as RowDescriptionMessage);
      else if (message.name === 'dataRow') pipeline.handleDataRow(message as DataRowMessage);
      else if (message.name === 'commandComplete') pipeline.handleCommandComplete();
      else if (message.name === 'error') pipeline.handleError(message);
      else if (message.name === 'readyForQuery') pipeline.handleReadyForQuery();
    return pipeline.answer;
  }

  /** Runs several statements without parameters, and returns the rows of each. */
  async script(text: string): Promise<Row[][]> {
    const results: Row[][] = [];
    let columns: number[] = [];
    let rows: Row[] = [];
    for (const message of await this.#exchange(serialize.query(text)))
      if (message.name === 'rowDescription')
        columns = (message as RowDescriptionMessage).fields.map(({ dataTypeID }) => dataTypeID);
      else if (message.name === 'dataRow') rows.push(rowOf((message as DataRowMessage).fields, columns));
      else if (message.name === 'commandComplete') {
        results.push(rows);
        rows = [];
      } else if (message.name === 'error') throw message;
    return results;
  }

  /** Sends messages and parses the answer. PGlite's parser would take half as long as the database does to find it. */
  async #exchange(sent: Uint8Array): Promise<BackendMessage[]> {
    const parser = new Parser();
    const messages: BackendMessage[] = [];
    await this.#pglite.execProtocolRawStream(sent, {
      // Copy: `data` is a view of the database's memory, and a message may end in the next chunk.
      onRawData: (data) => parser.parse(Buffer.from(data), (message) => messages.push(message)),
    });
    const error = messages.find((message) => message.name === 'error');
    if (error) this.#failed(error as DatabaseError);
    return messages;
  }
}
