import { hash } from 'node:crypto';
import { serialize } from 'pg-protocol';
import { isStaleStatement, type Row } from './database.js';

/** One statement, and the values of its parameters. */
export interface Statement {
  text: string;
  params: readonly unknown[];
}

/** How many statements a database keeps parsed and planned. There are some dozens; lists with unusual filters make more. */
const CACHE_SIZE = 200;

/** To be parsed each time. */
const UNNAMED = '';

interface CachedStatement {
  name: string;
  /** The types of its columns, as OIDs, once they are known. */
  columns?: number[];
}

/** The statements of a database that its connections keep parsed, and what is known of their answers. */
export class StatementCache {
  /** By text, the longest unused first. */
  readonly #kept = new Map<string, CachedStatement>();
  /** Whether statements are kept: not where a pooler hands each transaction another connection, and loses them. */
  #keeps = true;

  /** A name stands for one text, whichever process gave it: behind a pooler they meet on one connection. */
  get(text: string): CachedStatement {
    const kept = this.#kept.get(text) ?? { name: hash('sha256', text, 'base64url') };
    this.#kept.delete(text);
    this.#kept.set(text, kept);
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size > CACHE_SIZE) this.#kept.delete(oldest);
    if (!this.#keeps) kept.name = UNNAMED;
    return kept;
  }

  /** The names of a connection that stand for none of the statements any more, once there are many. */
  evicted(names: ReadonlySet<string>): string[] {
    if (names.size <= 2 * CACHE_SIZE) return [];
    const used = new Set([...this.#kept.values()].map(({ name }) => name));
    return [...names].filter((name) => !used.has(name));
  }

  disable(): void {
    this.#keeps = false;
    this.#kept.clear();
  }
}

/** What a driver's connection is to a flight. */
interface DriverConnection {
  stream: { write(data: Uint8Array): unknown };
}

/**
 * Statements that go to the database in one write and come back in one answer (PostgreSQL's extended query protocol, with
 * one Sync for all): after one that fails, none of the rest is run. A statement is parsed and its columns are asked for
 * only when it is new. To `pg`'s client, and to Neon's copy of it, this is a query.
 */
export class Pipeline {
  readonly answer: Promise<Row[][]>;
  readonly #statements: readonly Statement[];
  readonly #cache: StatementCache;
  /** The names that the connection knows. */
  readonly #known: Set<string>;
  readonly #kept: CachedStatement[] = [];
  readonly #new: string[] = [];
  readonly #results: Row[][] = [];
  #rows: Row[] = [];
  #done: (rows: Row[][]) => void = () => {};
  #failed: (error: unknown) => void = () => {};

  constructor(statements: readonly Statement[], cache: StatementCache, known: Set<string>) {
    this.#statements = statements;
    this.#cache = cache;
    this.#known = known;
    this.answer = new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
    });
  }

  messages(): Buffer {
    const parts: Buffer[] = [];
    for (const { text, params } of this.#statements) {
      const kept = this.#cache.get(text);
      const { name, columns } = kept;
      this.#kept.push(kept);
      if (!this.#known.has(name)) {
        if (name !== UNNAMED) {
          // It may be there: from an attempt that failed, or behind a pooler. To close one that is not is no error.
          parts.push(serialize.close({ type: 'S', name }));
          this.#known.add(name);
          this.#new.push(name);
        }
        parts.push(serialize.parse({ name, text }));
      }
      parts.push(serialize.bind({ statement: name, values: params.map(asText) }));
      if (!columns) parts.push(serialize.describe({ type: 'P' }));
      parts.push(serialize.execute());
    }
    for (const name of this.#cache.evicted(this.#known)) {
      this.#known.delete(name);
      parts.push(serialize.close({ type: 'S', name }));
    }
    parts.push(serialize.sync());
    return Buffer.concat(parts);
  }

  submit({ stream }: DriverConnection): void {
    stream.write(this.messages());
  }

  handleRowDescription({ fields }: { fields: { dataTypeID: number }[] }): void {
    const kept = this.#kept[this.#results.length];
    if (kept) kept.columns = fields.map(({ dataTypeID }) => dataTypeID);
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    const { columns = [] } = this.#kept[this.#results.length] ?? {};
    this.#rows.push(rowOf(fields, columns));
  }

  handleCommandComplete(): void {
    const kept = this.#kept[this.#results.length];
    if (kept) kept.columns ??= []; // one that answers no rows does not describe them
    this.#results.push(this.#rows);
    this.#rows = [];
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete();
  }

  handleReadyForQuery(): void {
    this.#done(this.#results);
  }

  handleError(error: unknown): void {
    for (const name of this.#new) this.#known.delete(name);
    if (isStaleStatement(error)) this.#cache.disable();
    this.#failed(error);
  }
}

/** A row in the order of its columns. */
export const rowOf = (fields: readonly (string | null)[], columns: readonly number[]): Row =>
  fields.map((field, i) => read(field, columns[i]));

function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Date ? value.toISOString() : String(value);
}

/** OIDs of types, as PostgreSQL’s catalogue has them. */
const [BOOL, INT8, INT2, INT4, OID, JSON_, FLOAT4, FLOAT8, JSONB] = [16, 20, 21, 23, 26, 114, 700, 701, 3802];

/** Numbers, booleans and JSON become what they are; all else, times above all, stays as the database wrote it. */
function read(field: string | null, type: number | undefined): unknown {
  if (field === null) return null;
  switch (type) {
    case INT2:
    case INT4:
    case INT8:
    case OID:
    case FLOAT4:
    case FLOAT8:
      return Number(field);
    case BOOL:
      return field === 't';
    case JSON_:
    case JSONB:
      return JSON.parse(field);
    default:
      return field;
  }
}
