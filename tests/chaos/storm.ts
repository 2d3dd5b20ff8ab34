import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { queryAsTableOwner } from '../../src/db/service.js';
import { checkInvariants } from '../model/replay.js';
import { readTables, type Tables } from '../model/tables.js';
import type { World } from '../support/harness.js';
import { type Chance, chanceOf } from './random.js';

/** What a tool answered, or nothing where the way to it broke. */
// biome-ignore lint/suspicious/noExplicitAny: answers are checked by what is expected of them
type Heard = any | undefined;

/** A client that calls tools. Each call may go another way. */
export type Caller = (tool: string, args: object) => Promise<Heard>;

/** What was asked for, and whether that it happened was ever said. */
interface Asked {
  kind: 'task' | 'label' | 'comment' | 'done';
  /** Found in the tables but once. */
  word: string;
  /** The task it is about, where that is known before. */
  id?: number;
  acknowledged: boolean;
}

export interface Storm {
  asked: Asked[];
  claims: { id: number; number: number }[];
  /** How many calls were answered. */
  answered(): number;
  /** Resolves when every client has finished what it was doing. */
  calm(): Promise<void>;
}

/** How long a client repeats one write whose answer it does not see, in milliseconds. */
const PATIENCE = 60_000;

/** Has clients write at random until it is told to stop, and keeps book of what they were told. */
export function raise(callers: Caller[], { seed }: Chance): Storm {
  const asked: Asked[] = [];
  const claims: Storm['claims'] = [];
  let answered = 0;
  let blowing = true;

  /**
   * Calls once, or under a request id until there is an answer.
   *
   * @returns the answer, if one was heard
   */
  async function write(call: Caller, tool: string, args: object, repeats: boolean): Promise<Heard> {
    const request = repeats ? { request_id: randomUUID() } : {};
    for (const until = performance.now() + PATIENCE; ; ) {
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
    const luck = chanceOf(seed * 31 + who);
    const own: number[] = [];
    for (let n = 0; blowing; n++) {
      const word = `w${who}x${n}`;
      const repeats = luck.next() < 0.6;
      const kind = own.length < 3 ? 0 : luck.next();
      const note = (given: Omit<Asked, 'acknowledged'>) => {
        const entry: Asked = { ...given, acknowledged: false };
        asked.push(entry);
        return entry;
      };
      if (kind < 0.45) {
        const entry = note({ kind: 'task', word });
        const answer = await write(call, 'add_task', { title: `Task ${word}`, project: `P${luck.some(3)}` }, repeats);
        entry.acknowledged = answer?.task !== undefined;
        if (entry.acknowledged) own.push(answer.task.id);
      } else if (kind < 0.6) {
        const id = luck.pick(own);
        const entry = note({ kind: 'label', word, id });
        const answer = await write(call, 'update_task', { id, add_labels: [word] }, repeats);
        entry.acknowledged = answer?.task !== undefined;
      } else if (kind < 0.7) {
        const id = luck.pick(own);
        const entry = note({ kind: 'comment', word, id });
        const answer = await write(call, 'add_comment', { id, text: word }, repeats);
        entry.acknowledged = answer !== undefined && answer.error === undefined;
      } else if (kind < 0.8) {
        const entry = note({ kind: 'done', word, id: luck.pick(own) });
        const answer = await write(call, 'complete_task', { id: entry.id }, repeats);
        entry.acknowledged = answer !== undefined && answer.error === undefined;
      } else if (kind < 0.95) {
        const answer = await write(call, 'claim_task', { project: `P${luck.some(3)}`, agent: `a${who}` }, repeats);
        if (answer?.task) {
          claims.push({ id: answer.task.id, number: answer.claim });
          if (luck.next() < 0.5)
            await write(call, 'release_task', { id: answer.task.id, claim: answer.claim }, repeats);
        }
      } else await call('list_tasks', { limit: 5 });
    }
  }

  const clients = callers.map(client);
  // A client that finds a fault ends the storm; the others need not go on.
  for (const each of clients)
    each.catch(() => {
      blowing = false;
    });
  return {
    asked,
    claims,
    answered: () => answered,
    async calm() {
      blowing = false;
      await Promise.all(clients);
    },
  };
}

/** Holds what there is in the end to what clients were told. */
export async function expectNothingLost(database: Database, handle: string, storm: Storm): Promise<void> {
  const [user] = await queryAsTableOwner(database, 'select id from taskloom.users where handle = $1', [handle]);
  const tables = await readTables({ database } as World, String(user?.[0]));
  checkInvariants(tables);
  const kinds = new Set(storm.asked.filter(({ acknowledged }) => acknowledged).map(({ kind }) => kind));
  console.log(`${storm.answered()} writes answered, ${storm.claims.length} claims, ${tables.changes.length} changes`);
  expect(kinds.size, 'kinds of writes that were acknowledged').toBe(4);
  expect(storm.claims.length).toBeGreaterThan(0);
  const wrong = storm.asked.filter((each) => {
    const times = count(tables, each);
    return each.acknowledged ? times !== 1 : times > 1;
  });
  expect(wrong, 'acknowledged and not there once, or there twice').toEqual([]);
  const numbers = storm.claims.map(({ number }) => number);
  expect(new Set(numbers).size, 'claims that two were given').toBe(numbers.length);
  const given = new Set(
    tables.changes.filter(({ op }) => String(op) === 'claim').map(({ seq, entity_id }) => `${entity_id} ${seq}`),
  );
  expect(
    storm.claims.filter(({ id, number }) => !given.has(`${id} ${number}`)),
    'claims that history does not know',
  ).toEqual([]);
}

function count({ tasks }: Tables, { kind, word, id }: Asked): number {
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
