import { ResourceTemplate, requireScopes } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import type { RenderContext } from './answers/shapes.js';
import type { Scope } from './auth/scopes.js';
import type { Complete } from './completion.js';
import type { UserTx } from './db/scope.js';
import type { Subject } from './domain/touched.js';
import { notFound } from './errors.js';
import { type ReadContext, type Reading, reading } from './reading.js';
import type { Args, Fields } from './tool.js';

interface Spec<F extends Fields, Found> {
  name: string;
  title: string;
  description: string;
  /** A URI, or a URI template whose variables are keys of `fields`. */
  uri: string;
  fields: F;
  /** Completers by variable. */
  complete?: { [Name in keyof F & string]?: Complete };
  /** What the resource shows: subscribers are notified when that changes. */
  shows(args: Args<F>): Subject;
  /** @throws Refusal `not_found` */
  run(args: Args<F>, tx: UserTx, context: ReadContext): Promise<Found>;
  text(found: Found, context: RenderContext, args: Args<F>): string;
}

export interface Resource {
  name: string;
  uri: string;
  /** Set for a URI template. Its resources are found by completion, not listed: lists must not wait for the database. */
  template?: ResourceTemplate;
  /** The scope a token needs. */
  scope: Scope;
  config: {
    title: string;
    description: string;
    mimeType: string;
    scopeChallenge: ReturnType<typeof requireScopes>;
  };
  complete: Record<string, Complete>;
  /** Parses the percent-encoded variables of a URI. @throws Refusal `not_found` if one is not valid */
  parse(variables: Record<string, unknown>): { shows: Subject; read: Reading<string> };
}

/**
 * Plain text, as in the tools' answers: hosts pass a resource to a model unchanged. Not Markdown, though descriptions
 * may use it: a host that renders Markdown would fetch images named in stored text.
 */
const MIME_TYPE = 'text/plain';

/** Defines a resource or a resource template. Schemas are built once, not per request. */
export function defineResource<F extends Fields, Found>(spec: Spec<F, Found>): Resource {
  const { name, uri, title, description, complete = {}, shows, run, text } = spec;
  const schema = z.strictObject(spec.fields);
  const scope = 'tasks:read';
  return {
    name,
    uri,
    ...(uri.includes('{') && { template: new ResourceTemplate(uri, { list: undefined }) }),
    scope,
    config: { title, description, mimeType: MIME_TYPE, scopeChallenge: requireScopes(scope) },
    complete,
    parse(variables) {
      const { success, data: args, error } = schema.safeParse(decoded(variables));
      if (success)
        return {
          shows: shows(args),
          read: reading(
            (tx, context) => run(args, tx, context),
            (found, context) => text(found, context, args),
          ),
        };
      const { path, message } = error.issues[0] ?? { path: [], message: 'cannot be read' };
      throw notFound(`No such ${name}: ${path.join('.')} ${message}.`);
    },
  };
}

function decoded(variables: Record<string, unknown>): Record<string, unknown> {
  try {
    return Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [name, decodeURIComponent(String(value))]),
    );
  } catch {
    throw notFound('No such address: it is not percent-encoded UTF-8.');
  }
}
