import {
  type CompleteResult,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
} from '@modelcontextprotocol/server';
import type { Scope } from './auth/scopes.js';
import { oneLine } from './characters.js';
import type { Complete } from './completion.js';
import type { Refusal, RefusalBody, RefusalCode } from './errors.js';
import { prompts } from './prompts/index.js';
import { type Reading, reading } from './reading.js';
import type { Resource } from './resource.js';
import { resources } from './resources/index.js';

/** How prompts, resources and completions read as the caller. */
export interface Reader {
  read<T>(scope: Scope, read: Reading<T>): Promise<T>;
  /** Turns any error into a refusal that is safe to send to the client. */
  refusal(what: string, error: unknown): Refusal;
}

/** Registers what a person picks in a host's menus: prompts, resources, and completions for both. */
export function offerMenus(server: McpServer, reader: Reader): void {
  for (const prompt of prompts)
    server.registerPrompt(prompt.name, prompt.config, async (raw: unknown) => {
      try {
        const text = await reader.read(prompt.scope, prompt.parse(raw));
        return {
          description: prompt.config.description,
          messages: [{ role: 'user', content: { type: 'text', text } }],
        };
      } catch (error) {
        throw asProtocolError(reader.refusal(prompt.name, error));
      }
    });
  for (const resource of resources) {
    const { name, uri, template, config } = resource;
    if (template)
      server.registerResource(name, template, config, (at, variables) => read(reader, resource, at, variables));
    else server.registerResource(name, uri, config, (at) => read(reader, resource, at, {}));
  }
  // Not the SDK's handler: it ties completers to a schema, which would have to be built for each caller.
  server.server.setRequestHandler('completion/complete', async ({ params: { ref, argument } }) => {
    const complete = completerOf(ref, argument.name);
    if (!complete) return { completion: { values: [], total: 0, hasMore: false } };
    return { completion: await suggest(reader, complete, argument.value) };
  });
}

async function read(reader: Reader, resource: Resource, at: URL, variables: Record<string, unknown>) {
  try {
    const text = await reader.read(resource.scope, resource.parse(variables).read);
    return { contents: [{ uri: at.href, mimeType: resource.config.mimeType, text }] };
  } catch (error) {
    const refusal = reader.refusal(resource.name, error);
    throw refusal.body.code === 'not_found'
      ? new ResourceNotFoundError(at.href, messageOf(refusal.body))
      : asProtocolError(refusal);
  }
}

type Reference = { type: 'ref/prompt'; name: string } | { type: 'ref/resource'; uri: string };

function completerOf(ref: Reference, argument: string): Complete | undefined {
  const owner =
    ref.type === 'ref/prompt'
      ? prompts.find(({ name }) => name === ref.name)
      : resources.find(({ uri }) => uri === ref.uri);
  if (!owner) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `No such ${ref.type.slice('ref/'.length)}.`);
  return Object.hasOwn(owner.complete, argument) ? owner.complete[argument] : undefined;
}

/** Completes what a person types. Errors yield no suggestions, except `forbidden`, which would never succeed. */
async function suggest(reader: Reader, complete: Complete, typed: string): Promise<CompleteResult['completion']> {
  try {
    const { found, total, more } = await reader.read(
      'tasks:read',
      reading(
        (tx) => complete(tx, oneLine(typed, 200)),
        (completions) => completions,
      ),
    );
    return { values: found, ...(total !== undefined && { total }), hasMore: more };
  } catch (error) {
    const refusal = reader.refusal('completion', error);
    if (refusal.body.code === 'forbidden') throw asProtocolError(refusal);
    return { values: [], hasMore: false };
  }
}

const CODES: Record<RefusalCode, ProtocolErrorCode> = {
  not_found: ProtocolErrorCode.InvalidParams,
  invalid: ProtocolErrorCode.InvalidParams,
  conflict: ProtocolErrorCode.InvalidParams,
  forbidden: ProtocolErrorCode.InvalidRequest,
  rate_limited: ProtocolErrorCode.InternalError,
  unavailable: ProtocolErrorCode.InternalError,
  internal: ProtocolErrorCode.InternalError,
};

/** Hosts show only the message. It names candidates by id; their titles are user data and stay in `data`. */
export function asProtocolError({ body }: Refusal): ProtocolError {
  const { code, candidates } = body;
  return new ProtocolError(CODES[code], messageOf(body), { code, ...(candidates && { candidates }) });
}

function messageOf({ message, hint, candidates = [] }: RefusalBody): string {
  const ids = candidates.flatMap(({ id }) => (id === undefined ? [] : [`#${id}`]));
  return [message, hint, ids.length > 0 && `Candidates: ${ids.join(', ')}.`].filter(Boolean).join(' ');
}
