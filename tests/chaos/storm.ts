import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { queryAsTableOwner } from '../../src/db/service.js';
import { checkInvariants } from '../model/replay.js';
import { readTables, type Tables } from '../model/tables.js';
import type { World } from '../support/harness.js';
import { type Random, randomFrom } from './random.js';

/** The answer of a tool, or undefined if the connection broke. */
// biome-ignore lint/suspicious/noExplicitAny: answers are checked by what is expected of them
type Answer = any | undefined;

/** Calls a tool. Calls may take different connections. */
export type Caller = (tool: string, args: object) => Promise<Answer>;

/** A requested write, and whether it was acknowledged. */
interface Request {
  kind: 'task' | 'label' | 'comment' | 'done';
  /** Unique, to find the write in the tables. */
  word: string;
  /** The task to change, unless it is a new one. */
  id?: number;
  acknowledged: boolean;
}

export interface Storm {
  requests: Request[];
  claims: { id: number; number: number }[];
  /** Returns the number of answered calls. */
  answered(): number;
  /** Resolves when every client has finished its last call. */
  stop(): Promise<void>;
}

/** How long a client repeats a write that is not answered, in milliseconds. */
const RETRY_TIMEOUT = 60_000;

/** Starts clients that make random writes until stopped, and records what was acknowledged. */
export function startStorm(callers: Caller[], { seed }: Random): Storm {
  const requests: Request[] = [];
  const claims: Storm['claims'] = [];
  let answered = 0;
  let running = true;

  /**
   * Calls once, or repeatedly with a request id until answered.
   *
   * @returns the answer, if there was one
   */
  async function write(call: Caller, tool: string, args: object, repeats: boolean): Promise<Answer> {
    const request = repeats ? { request_id: randomUUID() } : {};
    for (const until = performance.now() + RETRY_TIMEOUT; ; ) {
      const answer = await call(tool, { ...args, ...request });
      const code = answer?.error?.code;
      if (code !== undefined && !['unavailable', 'rate_limited', 'conflict', 'not_found'].includes(code))
        throw new Error(`${tool}: ${JSON.stringify(answer)}`);
      if (answer && code !== 'unavailable' && code !== 'rate_limited') {
        answered++;
        return answer;
      }
      if (!repeats || performance.now() > until) return undefined;
    }
  }

  async function client(call: Caller, who: number): Promise<void> {
    const random = randomFrom(seed * 31 + who);
    const own: number[] = [];
    for (let n = 0; running; n++) {
      const word = `w${who}x${n}`;
      const repeats = random.next() < 0.6;
      const kind = own.length < 3 ? 0 : random.next();
      const record = (given: Omit<Request, 'acknowledged'>) => {
        const entry: Request = { ...given, acknowledged: false };
        requests.push(entry);
        return entry;
      };
      if (kind < 0.45) {
        const entry = record({ kind: 'task', word });
        const answer = await write(call, 'add_task', { title: `Task ${word}`, project: `P${random.upTo(3)}` }, repeats);
        entry.acknowledged = answer?.task !== undefined;
        if (entry.acknowledged) own.push(answer.task.id);
      } else if (kind < 0.6) {
        const id = random.pick(own);
        const entry = record({ kind: 'label', word, id });
        const answer = await write(call, 'update_task', { id, add_labels: [word] }, repeats);
        entry.acknowledged = answer?.task !== undefined;
      } else if (kind < 0.7) {
        const id = random.pick(own);
        const entry = record({ kind: 'comment', word, id });
        const answer = await write(call, 'add_comment', { id, text: word }, repeats);
        entry.acknowledged = answer !== undefined && answer.error === undefined;
      } else if (kind < 0.8) {
        const entry = record({ kind: 'done', word, id: random.pick(own) });
        const answer = await write(call, 'complete_task', { id: entry.id }, repeats);
        entry.acknowledged = answer !== undefined && answer.error === undefined;
      } else if (kind < 0.95) {
        const answer = await write(call, 'claim_task', { project: `P${random.upTo(3)}`, agent: `a${who}` }, repeats);
        if (answer?.task) {
          claims.push({ id: answer.task.id, number: answer.claim });
          if (random.next() < 0.5)
            await write(call, 'release_task', { id: answer.task.id, claim: answer.claim }, repeats);
        }
      } else await call('list_tasks', { limit: 5 });
    }
  }

  const clients = callers.map(client);
  // An error in one client stops all of them.
  for (const each of clients)
    each.catch(() => {
      running = false;
    });
  return {
    requests,
    claims,
    answered: () => answered,
    async stop() {
      running = false;
      await Promise.all(clients);
    },
  };
}

/** Checks the final state against what clients were told: nothing acknowledged is lost, and nothing was done twice. */
export async function expectNothingLost(database: Database, handle: string, storm: Storm): Promise<void> {
  const [user] = await queryAsTableOwner(database, 'select id from taskloom.users where handle = $1', [handle]);
  const tables = await readTables({ database } as World, String(user?.[0]));
  checkInvariants(tables);
  const kinds = new Set(storm.requests.filter(({ acknowledged }) => acknowledged).map(({ kind }) => kind));
  console.log(`${storm.answered()} writes answered, ${storm.claims.length} claims, ${tables.changes.length} changes`);
  expect(kinds.size, 'kinds of writes that were acknowledged').toBe(4);
  expect(storm.claims.length).toBeGreaterThan(0);
  const wrong = storm.requests.filter((each) => {
    const times = count(tables, each);
    return each.acknowledged ? times !== 1 : times > 1;
  });
  expect(wrong, 'acknowledged but not found exactly once, or found twice').toEqual([]);
  const numbers = storm.claims.map(({ number }) => number);
  expect(new Set(numbers).size, 'claim numbers given to two clients').toBe(numbers.length);
  const given = new Set(
    tables.changes.filter(({ op }) => String(op) === 'claim').map(({ seq, entity_id }) => `${entity_id} ${seq}`),
  );
  expect(
    storm.claims.filter(({ id, number }) => !given.has(`${id} ${number}`)),
    'claims that are missing in the history',
  ).toEqual([]);
}

function count({ tasks }: Tables, { kind, word, id }: Request): number {
  const all = [...tasks.values()];
  const about = id === undefined ? undefined : tasks.get(id);
  switch (kind) {
    case 'task':
      return all.filter(({ title }) => title === `Task ${word}`).length;
    case 'label':
      return about?.labels.filter((label) => label === word).length ?? 0;
    case 'comment':
      return about?.comments.filter((comment) => comment.text === word).length ?? 0;
    case 'done':
      return about?.status === 'completed' ? 1 : 0;
  }
}
