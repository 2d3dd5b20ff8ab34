import { hash } from 'node:crypto';
import type { Answer, RenderContext } from './answers/shapes.js';
import type { LockedState } from './db/scope.js';
import { sayUntil } from './domain/dates/clock.js';
import { conflict } from './errors.js';
import { RELAY_KEY } from './meta.js';
import type { WriteCall } from './tool.js';

/** `_meta` keys of ids that hosts keep the same on retry. Not `progressToken`: it differs per attempt. */
const STABLE_META = ['claudecode/toolUseId'];

/** Idempotency key of a write. All values are SHA-256 in hex. */
export interface RequestKey {
  /** Digest of the client's request_id, else of the id in the host's `_meta`, else of the relay's id. */
  digest: string;
  /** Digest of the id that our relay gave the request for its own retries, which the client does not see. */
  relay: string | undefined;
  /** Digest of the tool and its arguments: a retry must have the same. */
  fingerprint: string;
  /** Name of the client. The retry of a claim must have the same: others choose ids such as "claim-1" too. */
  client: string;
}

/** Returns the idempotency key of a call, or nothing if neither client, host nor relay gave an id. */
export function requestKey(
  tool: string,
  call: WriteCall,
  meta: Record<string, unknown> | undefined,
  client: string,
): RequestKey | undefined {
  const digestOf = (source: string, id: unknown) =>
    typeof id === 'string' ? hash('sha256', `${source}\0${id}`) : undefined;
  const name = STABLE_META.find((each) => typeof meta?.[each] === 'string');
  const relay = digestOf('relay', meta?.[RELAY_KEY]);
  const digest = digestOf('client', call.requestId) ?? (name && digestOf('meta', `${name}\0${meta?.[name]}`)) ?? relay;
  return digest === undefined ? undefined : { digest, relay, fingerprint: fingerprintOf(tool, call), client };
}

/** SHA-256 of a tool's name and its arguments before interpretation, independent of their order. */
const fingerprintOf = (tool: string, { args }: WriteCall): string =>
  hash('sha256', JSON.stringify([tool, Object.entries(args).sort(([a], [b]) => (a < b ? -1 : 1))]));

/** A stored answer, with the digest of the relay's id of the first request, and the name of its client. */
type StoredAnswer = Answer & { relay?: string | undefined; client?: string };

/** Returns the record to store with a write, from which retries are answered. */
export const storedRequest = (answer: Answer, { digest, relay, fingerprint, client }: RequestKey) => ({
  key: digest,
  relayed: digest === relay,
  fingerprint,
  answer: { ...answer, relay, client } satisfies StoredAnswer,
});

const FRESH = 'Nothing was written. Use a fresh random request_id for each new write.';

/**
 * Returns the stored answer unchanged, marked as replayed unless the relay sent the same request again.
 *
 * @throws Refusal `conflict` if the id was used for a different call, or for a claim by another client
 */
export function replay(
  request: NonNullable<LockedState['request']>,
  { fingerprint, relay, client }: RequestKey,
  context: RenderContext,
): Answer {
  if (request.fingerprint !== fingerprint) throw conflict('This request_id was already used for another call.', FRESH);
  const { json, text, relay: first, client: by = client } = request.answer as unknown as StoredAnswer; // see `storedRequest`
  if (relay !== undefined && relay === first) return { json, text };
  const at = sayUntil(request.at, context);
  if (by !== client && 'claim' in json) throw conflict(`This request_id was already used by ${by}, at ${at}.`, FRESH);
  return {
    json: { ...json, replayed: true },
    text: `Already done at ${at}, nothing new was written.\n${text}`,
  };
}
