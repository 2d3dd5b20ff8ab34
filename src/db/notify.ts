import type { Database } from './database.js';
import { asService } from './service.js';

/** Channel on which processes announce whose tasks changed, and nothing else: changes are read as that user. */
const CHANNEL = 'taskloom';

/** Bytes in one NOTIFY: PostgreSQL accepts fewer than 8,000. */
const MAX_PAYLOAD = 7_900;

/** Calls `run` after `ms` milliseconds. Returns a function that cancels it. Tests pass their own. */
export type StartTimer = (ms: number, run: () => void) => () => void;

/** Starts a timer that does not keep the process alive. */
export const startTimer: StartTimer = (ms, run) => {
  const timer = setTimeout(run, ms);
  timer.unref();
  return () => clearTimeout(timer);
};

/** Tells other processes the newest change number of each user, in as few messages as possible. */
export async function notifyChanges(database: Database, newest: ReadonlyMap<string, number>): Promise<void> {
  if (!database.listen) return; // there are no other processes
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

/**
 * Returns an SQL expression that announces, on commit, that a user's rights may have changed.
 *
 * @param userId an SQL expression, such as a column
 */
export const notifyRightsChanged = (userId: string): string => `pg_notify('${CHANNEL}', ${userId}::text || ':')`;

export interface NotifyHandlers {
  /** A user's newest change is `seq`; without one, the user's rights may have changed. */
  heard(userId: string, seq: number | undefined): void;
  /** The connection is open: nothing is missed from now on, but earlier messages may have been. */
  opened(): void;
  /** The connection could not be opened. It is retried. */
  failed(error: unknown): void;
}

/**
 * Delay before a broken connection is reopened, in milliseconds: at first, and at most. It doubles with each attempt, and
 * starts again once a connection was open for longer than `most`.
 */
export interface Backoff {
  first: number;
  most: number;
}

/** Listens to other processes on one connection, and reopens it when it breaks. Returns a function that stops it. */
export function listenForChanges(
  database: Database,
  handlers: NotifyHandlers,
  retry: Backoff,
  later: StartTimer = startTimer,
): () => void {
  let stopped = false;
  let wait = retry.first;
  let since = 0;
  let close = () => {};
  const open = async () => {
    try {
      const unlisten = await database.listen?.(CHANNEL, (message) => read(message, handlers), lost);
      if (!unlisten) return;
      if (stopped) return unlisten();
      close = unlisten;
      since = performance.now();
      handlers.opened();
    } catch (error) {
      handlers.failed(error);
      reopenLater();
    }
  };
  const lost = () => {
    if (performance.now() - since > retry.most) wait = retry.first;
    reopenLater();
  };
  const reopenLater = () => {
    if (stopped) return;
    close = later(wait, () => void open());
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

/** The interface that `pg`'s client and Neon's have in common. */
interface Client {
  connect(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  on(event: 'notification', listener: (message: { payload?: string | undefined }) => void): unknown;
  on(event: 'error' | 'end', listener: () => void): unknown;
  end(): Promise<void>;
}

/**
 * Returns `listen`, which opens a connection of its own for each call, and `closeAll`.
 *
 * @param connect makes a client; not through a pooler, which would drop notifications
 */
export function makeListener(connect: () => Client) {
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
