import { type messages, type PGlite, protocol, types } from '@electric-sql/pglite';
import type { Row } from './database.js';

const { serialize } = protocol;

/** How many statements are kept parsed. There are some dozens; lists with unusual filters make more. */
const KEPT = 256;

interface Statement {
  name: string;
  /** The types of its columns, as OIDs. */
  columns: number[];
}

/**
 * Runs statements with parameters that the embedded database has parsed before: parsing and planning cost more
 * than the rest of a look-up, and all messages of a run cross into it at once. (`PGlite.query` parses every
 * time, and crosses five times.) To be used by one caller at a time.
 */
export class Statements {
  readonly #pglite: PGlite;
  /** By text, the longest unused first. */
  readonly #kept = new Map<string, Statement>();
  readonly #failed: (error: Error) => void;
  #made = 0;

  /** @param failed told of every error that the database answers, before anybody else */
  constructor(pglite: PGlite, failed: (error: Error) => void) {
    this.#pglite = pglite;
    this.#failed = failed;
  }

  async run(text: string, params: readonly unknown[]): Promise<Row[]> {
    const { name: statement, columns } = await this.#parsed(text);
    const answer = await this.#send(serialize.bind({ statement, values: params.map(asText) }), serialize.execute());
    return answer.filter((message) => message.name === 'dataRow').map((message) => rowOf(message, columns));
  }

  /** Runs several statements without parameters, and answers the rows of each. */
  async script(text: string): Promise<Row[][]> {
    const results: Row[][] = [];
    let columns: number[] = [];
    let rows: Row[] = [];
    for (const message of await this.#exchange(serialize.query(text)))
      if (message.name === 'rowDescription') columns = typesOf(message);
      else if (message.name === 'dataRow') rows.push(rowOf(message, columns));
      else if (message.name === 'commandComplete') {
        results.push(rows);
        rows = [];
      }
    return results;
  }

  async #parsed(text: string): Promise<Statement> {
    const known = this.#kept.get(text);
    if (known) this.#kept.delete(text);
    const statement = known ?? (await this.#parse(text));
    this.#kept.set(text, statement);
    return statement;
  }

  async #parse(text: string): Promise<Statement> {
    const name = `t${++this.#made}`;
    const answer = await this.#send(serialize.parse({ name, text }), serialize.describe({ type: 'S', name }));
    const description = answer.find((message) => message.name === 'rowDescription');
    const [oldest] = this.#kept;
    if (oldest && this.#kept.size >= KEPT) {
      this.#kept.delete(oldest[0]);
      await this.#send(serialize.close({ type: 'S', name: oldest[1].name }));
    }
    return { name, columns: description ? typesOf(description) : [] };
  }

  /** Sends messages, with the one that ends a run. */
  #send(...parts: Uint8Array[]): Promise<messages.BackendMessage[]> {
    return this.#exchange(Buffer.concat([...parts, serialize.sync()]));
  }

  /** Answers what the database does, and throws what it answers as an error. */
  async #exchange(sent: Uint8Array): Promise<messages.BackendMessage[]> {
    const { messages } = await this.#pglite.execProtocol(sent, { throwOnError: false });
    const error = messages.find((message) => message.name === 'error');
    if (error) {
      this.#failed(error as messages.DatabaseError);
      throw error;
    }
    return messages;
  }
}

const typesOf = (message: messages.BackendMessage) =>
  (message as messages.RowDescriptionMessage).fields.map((field) => field.dataTypeID);

const rowOf = (message: messages.BackendMessage, columns: number[]): Row =>
  (message as messages.DataRowMessage).fields.map((field, i) => parse(field, columns[i]));

function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Date ? value.toISOString() : String(value);
}

/** Numbers, booleans and JSON become what they are; all else, times above all, stays as the database wrote it. */
function parse(field: string | null, type: number | undefined): unknown {
  if (field === null) return null;
  switch (type) {
    case types.INT2:
    case types.INT4:
    case types.INT8:
    case types.OID:
    case types.FLOAT4:
    case types.FLOAT8:
      return Number(field);
    case types.BOOL:
      return field === 't';
    case types.JSON:
    case types.JSONB:
      return JSON.parse(field);
    default:
      return field;
  }
}
