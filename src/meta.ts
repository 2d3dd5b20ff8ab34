/**
 * Keys of ours in a request's `_meta`, between a relay and the server it carries requests to. Nothing is decided by
 * them that a client could gain by inventing them.
 */

/** The same for each time that one request is sent, so that a write sent twice happens once. */
export const RELAY_KEY = 'taskloom/call';
/** Set by whoever subscribes again after a break: tell once of everything, for something may have been missed. */
export const AGAIN_KEY = 'taskloom/again';
/** What the client calls itself, where no handshake and no envelope says it. */
export const CLIENT_KEY = 'taskloom/client';
