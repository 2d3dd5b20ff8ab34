import { ResourceTemplate, requireScopes } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';
import type { RenderContext } from './answers/shapes.js';
import type { Scope } from './auth/scopes.js';
import type { Complete } from './completion.js';
import type { UserTx } from './db/scope.js';
import type { Subject } from './domain/touched.js';
import { notFound } from './errors.js';
import type { Args, Fields, ReadContext } from './tool.js';

interface Spec<F extends Fields, Found> {
  name: string;
  title: string;
  description: string;
  /** An address, or the pattern of many: each variable in braces is one of `fields`. */
  uri: string;
  fields: F;
  /** What completes a variable. */
  complete?: { [Name in keyof F & string]?: Complete };
  /** What it shows: whoever subscribed to it is told when that changes. */
  shows(args: Args<F>): Subject;
  /** @throws Refusal `not_found` */
  run(args: Args<F>, tx: UserTx, context: ReadContext): Promise<Found>;
  text(found: Found, say: RenderContext, args: Args<F>): string;
}

export interface Resource {
  name: string;
  uri: string;
  /** Where there are many. They are not listed: a list must not wait for the database, and completion finds them. */
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
  /** Reads the variables of an address, percent-encoded as they come. @throws Refusal `not_found` */
  parse(variables: Record<string, unknown>): Record<string, unknown>;
  shows(args: never): Subject;
  run(args: never, tx: UserTx, context: ReadContext): Promise<unknown>;
  text(found: never, say: RenderContext, args: never): string;
}

/**
 * Plain text, the same as the tools answer: hosts put a resource before a model as it is. Not Markdown, though
 * descriptions may be written in it: a host that renders it would fetch the images that someone's text names.
 */
const MIME_TYPE = 'text/plain';

/** Defines a resource, or a family of them. Nothing is built per request. */
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
    parse: (variables) => {
      const result = schema.safeParse(decoded(variables));
      if (result.success) return result.data;
      const { path, message } = result.error.issues[0] ?? { path: [], message: 'cannot be read' };
      throw notFound(`No such ${name}: ${path.join('.')} ${message}.`);
    },
    shows,
    run,
    text,
  } as Resource; // `Spec` above holds these to the fields
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
