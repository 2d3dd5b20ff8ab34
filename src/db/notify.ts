import type { Database } from './database.js';
import { asService } from './scope.js';

/** Where processes tell each other whose tasks changed, and nothing else: what changed is read as that user. */
const CHANNEL = 'taskloom';

/** PostgreSQL takes less than 8,000 bytes at once. */
const MAX_PAYLOAD = 7_900;

/** Runs something later, unless it is called off. The tests bring their own. */
export type StartTimer = (ms: number, run: () => void) => () => void;

/** A timer that keeps no process alive. */
export const startTimer: StartTimer = (ms, run) => {
  const timer = setTimeout(run, ms);
  timer.unref();
  return () => clearTimeout(timer);
};

/** Tells other processes, in as few messages as possible, up to which change each user has come. */
export async function notifyChanges(database: Database, newest: ReadonlyMap<string, number>): Promise<void> {
  if (!database.listen) return; // there are no others
  let message = '';
  const send = () => asService(database, 'select pg_notify($1, $2)', [CHANNEL, message]);
  for (const [userId, seq] of newest) {
    const entry = `${userId}:${seq}`;
    if (message.length + 1 + entry.length > MAX_PAYLOAD) {
      await send();
      message = '';
    }
    message = message ? `${message},${entry}` : entry;
  }
  if (message) await send();
}

/** A statement's part that tells, once it is committed, that this user's rights may have changed. */
export const notifyRightsChanged = (userId: string): string => `pg_notify('${CHANNEL}', ${userId}::text || ':')`;

export interface NotifyHandlers {
  /** A user came to this change, or without one, has other rights. */
  heard(userId: string, seq: number | undefined): void;
  /** From now on nothing is missed, but what was said before may have been. */
  opened(): void;
  /** It could not be opened. It is tried again. */
  failed(error: unknown): void;
}

/** How long to wait before a line that broke is opened again, in milliseconds: at first, and at most. */
export interface Backoff {
  first: number;
  most: number;
}

/** Keeps one line open on which other processes are heard, and opens it again when it breaks. Answers how to stop. */
export function listenForChanges(
  database: Database,
  handlers: NotifyHandlers,
  retry: Backoff,
  later: StartTimer = startTimer,
): () => void {
  let stopped = false;
  let wait = retry.first;
  let opened = 0;
  let close = () => {};
  const open = async () => {
    try {
      const line = await database.listen?.(CHANNEL, (message) => read(message, handlers), again);
      if (!line) return;
      if (stopped) return line();
      close = line;
      opened = performance.now();
      handlers.opened();
    } catch (error) {
      handlers.failed(error);
      again();
    }
  };
  const again = () => {
    close = () => {};
    if (stopped) return;
    if (opened > 0 && performance.now() - opened > retry.most) wait = retry.first;
    const cancel = later(wait, () => void open());
    close = cancel;
    wait = Math.min(wait * 2, retry.most);
  };
  void open();
  return () => {
    stopped = true;
    close();
  };
}

function read(message: string, handlers: NotifyHandlers): void {
  for (const entry of message.split(',')) {
    const [, userId, seq] = /^([0-9a-f-]{36}):(\d{0,15})$/.exec(entry) ?? [];
    if (userId) handlers.heard(userId, seq ? Number(seq) : undefined);
  }
}

/** What `pg`'s client and Neon's have in common. */
interface Client {
  connect(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  on(event: 'notification', listener: (message: { payload?: string | undefined }) => void): unknown;
  on(event: 'error' | 'end', listener: () => void): unknown;
  end(): Promise<void>;
}

/** Listens on connections of their own, one for each call. A pooler between us and the server would drop what is said. */
export function listener(connect: () => Client) {
  const open = new Set<() => void>();
  return {
    async listen(channel: string, heard: (message: string) => void, lost: () => void): Promise<() => void> {
      const client = connect();
      let over = false;
      const end = () => {
        over = true;
        open.delete(end);
        client.end().catch(() => {});
      };
      const broke = () => {
        if (over) return;
        end();
        lost();
      };
      let ready = false;
      client.on('notification', ({ payload }) => {
        if (!over && payload) heard(payload);
      });
      for (const event of ['error', 'end'] as const) client.on(event, () => ready && broke());
      try {
        await client.connect();
        await client.query(`listen ${channel}`);
      } catch (error) {
        end();
        throw error;
      }
      ready = true;
      open.add(end);
      return end;
    },
    closeAll() {
      for (const end of open) end();
    },
  };
}
