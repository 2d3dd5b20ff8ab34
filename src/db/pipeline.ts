import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { serialize } from 'pg-protocol';
import type { Row } from './database.js';
import { isOutdatedPlan, isStaleStatement } from './database-errors.js';

/** One statement and its parameter values. */
export interface Statement {
  text: string;
  params: readonly unknown[];
}

/** How many prepared statements a database caches. There are some dozens, and more from lists with unusual filters. */
const CACHE_SIZE = 200;

/** Name of the unnamed statement, which is parsed each time. */
const UNNAMED = '';

interface CachedStatement {
  name: string;
  /** Type OIDs of its columns, once known. */
  columns?: number[];
}

/** LRU cache of a database's prepared statements and their column types. */
export class StatementCache {
  /** By text. */
  readonly #kept = new LRUCache<string, CachedStatement>({ max: CACHE_SIZE });
  /** False once disabled: behind a pooler that gives each transaction another connection, statements get lost. */
  #keeps = true;
  /** Part of all names: raised to abandon the statements that connections have. */
  #generation = 0;

  /** Names derive from the text, so that processes agree on them: behind a pooler they share connections. */
  get(text: string): CachedStatement {
    const named = this.#generation === 0 ? text : `${this.#generation} ${text}`;
    const kept = this.#kept.get(text) ?? { name: hash('sha256', named, 'base64url') };
    this.#kept.set(text, kept);
    if (!this.#keeps) kept.name = UNNAMED;
    return kept;
  }

  /** Statement names of a connection that the cache has evicted; empty up to 2 × CACHE_SIZE names. */
  evicted(names: ReadonlySet<string>): string[] {
    if (names.size <= 2 * CACHE_SIZE) return [];
    const used = new Set([...this.#kept.values()].map(({ name }) => name));
    return [...names].filter((name) => !used.has(name));
  }

  /** Prepares all statements anew, on every connection: a migration may have changed the columns of any of them. */
  renew(): void {
    this.#generation++;
    this.#kept.clear();
  }

  disable(): void {
    this.#keeps = false;
    this.#kept.clear();
  }
}

/** The part of a driver's connection that a pipeline uses. */
interface DriverConnection {
  stream: { write(data: Uint8Array): unknown };
}

/**
 * Statements sent in one write and answered in one round trip (PostgreSQL's extended query protocol with one Sync):
 * after one that fails, none of the rest is run. Parse and Describe are sent only for new statements. Implements the
 * query interface of `pg`'s client and Neon's copy of it.
 */
export class Pipeline {
  readonly answer: Promise<Row[][]>;
  readonly #statements: readonly Statement[];
  readonly #cache: StatementCache;
  /** Names of the statements prepared on the connection. */
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
          // It may exist, from a failed attempt or behind a pooler. Closing one that does not exist is not an error.
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
    if (kept) kept.columns ??= []; // statements without rows get no row description
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
    if (isOutdatedPlan(error)) this.#cache.renew();
    else if (isStaleStatement(error)) this.#cache.disable();
    this.#failed(error);
  }
}

/** Decodes a row of the wire format; `columns` are type OIDs. */
export const rowOf = (fields: readonly (string | null)[], columns: readonly number[]): Row =>
  fields.map((field, i) => decodeField(field, columns[i]));

function asText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Date ? value.toISOString() : String(value);
}

/** Type OIDs of PostgreSQL’s catalogue. */
const [BOOL, INT8, INT2, INT4, OID, JSON_, FLOAT4, FLOAT8, JSONB] = [16, 20, 21, 23, 26, 114, 700, 701, 3802];

/** Decodes numbers, booleans and JSON; everything else, notably times, stays text. */
function decodeField(field: string | null, type: number | undefined): unknown {
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
