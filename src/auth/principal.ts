import type { UserScope } from '../db/scope.js';
import type { Scope } from './scopes.js';

/**
 * The caller. Resolved from the connection, never from an argument: on stdio once, over HTTP from the token of each
 * request. A token that was good last time is checked in the pipeline of the first statement (`proof`); nothing is
 * returned or written unless it is still good.
 */
export interface Principal extends UserScope {
  handle: string;
  scopes: readonly Scope[];
  via: 'stdio' | 'http';
  /** The id of the token. HTTP only. */
  token?: string;
  /** What it was called when it was made: how a client is known that does not name itself. */
  tokenName?: string;
}
