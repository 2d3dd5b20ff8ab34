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
  #made = 0;

  constructor(pglite: PGlite) {
    this.#pglite = pglite;
  }

  async run(text: string, params: readonly unknown[]): Promise<Row[]> {
    const { name: statement, columns } = await this.#parsed(text);
    const answer = await this.#send(serialize.bind({ statement, values: params.map(asText) }), serialize.execute());
    const rows: Row[] = [];
    for (const message of answer)
      if (message.name === 'dataRow')
        rows.push((message as messages.DataRowMessage).fields.map((field, i) => parse(field, columns[i])));
    return rows;
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
    return {
      name,
      columns:
        (description as messages.RowDescriptionMessage | undefined)?.fields.map((field) => field.dataTypeID) ?? [],
    };
  }

  /** Sends messages, with the one that ends a run, and throws what the database answers as an error. */
  async #send(...parts: Uint8Array[]): Promise<messages.BackendMessage[]> {
    const { messages } = await this.#pglite.execProtocol(Buffer.concat([...parts, serialize.sync()]), {
      throwOnError: false,
    });
    const error = messages.find((message) => message.name === 'error');
    if (error) throw error;
    return messages;
  }
}

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
