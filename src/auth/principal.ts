import type { UserScope } from '../db/scope.js';
import type { Scope } from './scopes.js';

/**
 * Who is calling. Resolved from the connection alone, never from an argument: on stdio once, over HTTP from the token of
 * each request. A token that was good before is taken for good until the database answers, in the flight of the first
 * thing that is asked for, and nothing is told or written unless it is (`proof`).
 */
export interface Principal extends UserScope {
  handle: string;
  scopes: readonly Scope[];
  via: 'stdio' | 'http';
  /** The id of the token, over HTTP. */
  token?: string;
  /** What it was called when it was made: how a client is known that does not name itself. */
  tokenName?: string;
}
