import { hash } from 'node:crypto';
import { type Answer, type RenderContext, sayTime } from './answers/shapes.js';
import type { LockedState } from './db/scope.js';
import { conflict } from './errors.js';
import { RELAY_KEY } from './meta.js';
import type { Call, Tool } from './tool.js';

/** Ids that a host gives one call of a tool and keeps when it sends it again. Never `progressToken`: it is of one attempt. */
const STABLE_META = ['claudecode/toolUseId'];

/** What a write is known by, so that it happens once however often it is sent. Each is SHA-256, hex. */
export interface RequestKey {
  /** Of the client's id; of the relay's, where it gave none. */
  digest: string;
  /** Of the id that our own relay gave one request, which it may have to send again: the client knows nothing of it. */
  relay: string | undefined;
  /** Of the call itself, which is to be the same again. */
  fingerprint: string;
}

export function requestKey(tool: Tool, call: Call, meta: Record<string, unknown> | undefined): RequestKey | undefined {
  const digestOf = (source: string, id: unknown) =>
    typeof id === 'string' ? hash('sha256', `${source}\0${id}`) : undefined;
  const name = STABLE_META.find((each) => typeof meta?.[each] === 'string');
  const relay = digestOf('relay', meta?.[RELAY_KEY]);
  const digest = digestOf('client', call.requestId) ?? (name && digestOf('meta', `${name}\0${meta?.[name]}`)) ?? relay;
  return digest === undefined ? undefined : { digest, relay, fingerprint: fingerprintOf(tool.name, call) };
}

/** SHA-256 of a tool and its arguments, before anything in them is interpreted, in whatever order they came. */
const fingerprintOf = (tool: string, { args }: Call): string =>
  hash('sha256', JSON.stringify([tool, Object.entries(args).sort(([a], [b]) => (a < b ? -1 : 1))]));

/** An answer as it is kept, with the relay's id of the request that it was first given to. */
type Kept = Answer & { relay?: string | undefined };

/** What is kept of a write, for whoever sends it again. */
export const kept = (answer: Answer, { digest, relay, fingerprint }: RequestKey) => ({
  key: digest,
  relayed: digest === relay,
  fingerprint,
  answer: { ...answer, relay } satisfies Kept,
});

/** The first answer again, word for word; marked as such for a client that asked again itself. */
export function replay(
  request: NonNullable<LockedState['request']>,
  { fingerprint, relay }: RequestKey,
  say: RenderContext,
): Answer {
  if (request.fingerprint !== fingerprint)
    throw conflict(
      'This request_id was already used for another call.',
      'Use a fresh random request_id for each new write.',
    );
  const { json, text, relay: first } = request.answer as unknown as Kept; // see `kept`
  if (relay !== undefined && relay === first) return { json, text };
  return {
    json: { ...json, replayed: true },
    text: `Already done at ${sayTime(request.at, say)}, nothing new was written.\n${text}`,
  };
}
