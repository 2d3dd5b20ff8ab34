import { Client, ProtocolError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { pino } from 'pino';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, inject, onTestFinished } from 'vitest';
import { ensureUser, localPrincipal } from '../../src/auth/local.js';
import type { Principal } from '../../src/auth/principal.js';
import { SCOPES } from '../../src/auth/scopes.js';
import type { Store } from '../../src/db/connect.js';
import type { Connection, Database } from '../../src/db/database.js';
import { openMemory } from '../../src/db/pglite.js';
import { readImage } from '../../src/db/pglite-image.js';
import { queryAsTableOwner } from '../../src/db/service.js';
import { buildServer } from '../../src/server.js';
import type { Deps } from '../../src/tool-calls.js';
import { OutageLog } from '../../src/transports/outage.js';
import { watchPredicates } from './spy.js';

/** The time of every test that does not set its own: a Sunday afternoon in Europe. */
export const NOON = '2026-11-22T13:02:00.000Z';

export interface World extends Deps {
  database: Database;
  now: Date;
  /** The lines that were logged. */
  logged: string[];
}

/** An answer, as text and as JSON. */
export interface Reply {
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are checked by what the tests expect of them
  json: any;
  isError: boolean;
}

export interface Agent {
  principal: Principal;
  client: Client;
  /** Calls a tool. */
  call(tool: string, args?: Record<string, unknown>): Promise<Reply>;
  /** Calls a tool that must not refuse, and returns its JSON. */
  ok(tool: string, args?: Record<string, unknown>): Promise<Reply['json']>;
  /** Calls a tool that must refuse, and returns the error. */
  refused(tool: string, args?: Record<string, unknown>): Promise<Reply['json']>;
}

/** What no log line may contain. */
const SECRET = /tlm_[\w-]{43}|Bearer |postgres(?:ql)?:\/\//;

/** Opens a new database on the backend of this project. */
export async function openTestDatabase(): Promise<Database> {
  if (inject('backend') === 'pglite') return openMemory(await readImage(new URL(inject('source'))));
  const { openServerDatabase } = await import('../setup/server.js');
  return openServerDatabase();
}

/** Sets up the world of a test file: a database, a stopped clock and a recorded log. */
export function useWorld(): World {
  const logged: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) });
  const world = {
    now: new Date(NOON),
    clock: () => world.now,
    databaseUsesClock: true,
    validateAnswers: true,
    logged,
    log,
    outages: new OutageLog(log),
    version: '0.0.0-test',
    historyDays: 365,
  } as World;
  let spy: ReturnType<typeof watchPredicates> | undefined;
  beforeAll(async () => {
    world.database = await openTestDatabase();
    const store: Store = { database: world.database, secret: Buffer.alloc(32, 7), close: async () => {} };
    world.store = async () => store;
    if (world.database.kind === 'pglite') spy = watchPredicates(world.database);
  });
  afterAll(async () => {
    await world.database?.close();
    expect(spy?.offences ?? [], 'statements that name an owned table without the user').toEqual([]);
    expect(
      logged.filter((line) => SECRET.test(line)),
      'log lines with a token or an address of a database',
    ).toEqual([]);
  });
  return world;
}

/** Returns the same world with another database. */
export const withDatabase = (world: World, database: Database): World => ({
  ...world,
  database,
  outages: new OutageLog(world.log),
  store: async () => ({ ...(await world.store()), database }),
});

/** Sets the clock for the rest of the test. */
export function setClock(world: World, at: string | number): void {
  world.now = new Date(at);
  onTestFinished(() => {
    world.now = new Date(NOON);
  });
}

/** Creates a user without tasks. Every test has its own, so nothing needs to be cleaned up. */
export async function newUser(world: World, options: { timezone?: string } = {}): Promise<Principal> {
  const handle = `u-${uuidv7()}`;
  const timezone = options.timezone ?? 'Europe/Paris';
  await ensureUser(world.database, { handle, timezone });
  return { ...(await localPrincipal(world.database, handle, timezone)), scopes: SCOPES };
}

/** Connects a real client to a real server in this process, as one user. */
export async function agentOf(world: World, principal: Principal, name = 'test'): Promise<Agent> {
  const handler = createMcpHandler(() => buildServer(world, async () => principal));
  const client = new Client({ name, version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(
    new StreamableHTTPClientTransport(new URL('http://taskloom.test/mcp'), {
      fetch: (url, init) => handler.fetch(new Request(url, init)),
    }),
  );
  return asAgent(principal, client);
}

type AnyClient = Pick<Client, 'callTool'>;

/** Wraps a connected client of any kind. */
function asAgent(principal: Principal, client: Client): Agent {
  const call = (tool: string, args: Record<string, unknown> = {}) => callWith(client, tool, args);
  return {
    principal,
    client,
    call,
    async ok(tool, args) {
      const reply = await call(tool, args);
      expect(reply.isError, reply.text).toBe(false);
      return reply.json;
    },
    async refused(tool, args) {
      const reply = await call(tool, args);
      expect(reply.isError, reply.text).toBe(true);
      return reply.json.error;
    },
  };
}

export async function callWith(client: AnyClient, name: string, args: Record<string, unknown>): Promise<Reply> {
  const result = await client.callTool({ name, arguments: args });
  const [block] = result.content as { type: string; text: string }[];
  return { text: block?.text ?? '', json: result.structuredContent, isError: result.isError === true };
}

/** Creates a user, and connects a client as that user. Most tests start with this. */
export async function newAgent(world: World, options: { timezone?: string } = {}): Promise<Agent> {
  return agentOf(world, await newUser(world, options));
}

/** Wraps a database, with `change` overriding methods of each connection. */
export const through = (
  { connect, ...database }: Database,
  change: (connection: Connection) => Partial<Connection>,
): Database => ({
  ...database,
  connect: (work) =>
    connect((connection) =>
      work({
        query: (text, params) => connection.query(text, params),
        script: (text) => connection.script(text),
        ...change(connection),
      }),
    ),
});

/** Queries the database directly, as its owner, for data that no answer shows. */
export const rowsOf = (world: World, text: string, params: unknown[] = []) =>
  queryAsTableOwner(world.database, text, params);

/** Returns the text of the only message of a prompt. */
export async function promptText(client: Client, name: string, args: Record<string, string> = {}): Promise<string> {
  const { messages } = await client.getPrompt({ name, arguments: args });
  const [message] = messages;
  expect(messages).toEqual([{ role: 'user', content: { type: 'text', text: expect.any(String) } }]);
  return message?.content.type === 'text' ? message.content.text : '';
}

/** Returns the text of the only content of a resource. */
export async function resourceText(client: Client, uri: string): Promise<string> {
  const { contents } = await client.readResource({ uri });
  expect(contents).toEqual([{ uri: new URL(uri).href, mimeType: 'text/plain', text: expect.any(String) }]);
  const [content] = contents;
  return content && 'text' in content ? content.text : '';
}

/** Completes an argument of a prompt, or a variable of a resource's URI. */
export async function completion(client: Client, of: string, argument: string, value: string) {
  const ref = of.includes(':')
    ? ({ type: 'ref/resource', uri: of } as const)
    : ({ type: 'ref/prompt', name: of } as const);
  return (await client.complete({ ref, argument: { name: argument, value } })).completion;
}

/** Returns the protocol error with which a request must fail. */
export async function protocolError(
  asked: Promise<unknown>,
): Promise<{ code: number; message: string; data?: unknown }> {
  const error = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProtocolError);
  const { code, message, data } = error as ProtocolError;
  return { code, message, ...(data !== undefined && { data }) };
}
