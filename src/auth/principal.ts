import type { UserScope } from '../db/scope.js';
import type { Scope } from '../tool.js';

/**
 * Who is calling. Resolved from the connection alone, before any tool runs: never from an argument, a
 * header of the client's making, or an earlier request.
 */
export interface Principal extends UserScope {
  handle: string;
  scopes: readonly Scope[];
  via: 'stdio' | 'http';
  /** The id of the token, over HTTP. */
  token?: string;
}
