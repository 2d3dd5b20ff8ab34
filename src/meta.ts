/**
 * Our keys in a request's `_meta`, between a relay and the server it forwards to. A client that forges them gains
 * nothing.
 */

/** Idempotency key of a relayed call, the same on every retry. */
export const RELAY_KEY = 'taskloom/call';
/** `true` when resubscribing after a lost connection: report every URI once, since changes may have been missed. */
export const RESUBSCRIBED_KEY = 'taskloom/again';
/** The client's name, for servers that see neither its handshake nor its envelope. */
export const CLIENT_KEY = 'taskloom/client';
