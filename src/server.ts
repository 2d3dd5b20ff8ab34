import { McpServer } from '@modelcontextprotocol/server';
import { checkAnswer } from './answers/answer-schema.js';
import { refusalAnswer } from './answers/refusals.js';
import type { Answer } from './answers/shapes.js';
import type { Principal } from './auth/principal.js';
import { forbidden } from './errors.js';
import { asRefusal } from './failures.js';
import type { Subscription } from './feed.js';
import { asProtocolError, offerMenus } from './prompts-and-resources.js';
import { implementation, serverOptions } from './server-options.js';
import { offerSubscriptions } from './subscriptions.js';
import { tolerant } from './tolerance.js';
import { clientName, type Deps, type ExpectedCall, type Meta, runReading, runTool, withScope } from './tool-calls.js';
import { tools } from './tools/index.js';

/** The transport's side of a subscription: delivers changed URIs, and ends it. */
export interface SubscriptionSink {
  deliver(uris: string[]): Promise<void>;
  end(): void;
}

/** The server of one connection or request, with `listen` for subscriptions that the transport handles itself. */
export interface TaskServer extends McpServer {
  /** Subscribes the caller to URIs. @throws ProtocolError if that is refused */
  listen(uris: string[], wire: SubscriptionSink, token?: string): Promise<Subscription>;
}

/**
 * Builds the server for one connection, or over HTTP one request.
 *
 * @param resolve returns the caller; called before each tool, prompt, resource or completion
 * @param subscribe whether to offer subscriptions: a 2025 client over HTTP has no stream for notifications
 * @param asked the one tool call to serve, if known; nothing else is registered then
 */
export function buildServer(
  deps: Deps,
  resolve: () => Promise<Principal>,
  { subscribe = deps.feed !== undefined, asked }: { subscribe?: boolean; asked?: ExpectedCall | undefined } = {},
): TaskServer {
  const server = tolerant(new McpServer(implementation(deps.version), serverOptions(subscribe)));
  const reply = ({ json, text }: Answer) => {
    if (deps.validateAnswers) checkAnswer(json);
    return { content: [{ type: 'text' as const, text }], structuredContent: json };
  };
  for (const tool of asked ? [asked.tool] : tools)
    server.registerTool(tool.name, tool.config, async (raw, context) => {
      const { envelope, _meta: meta } = context.mcpReq;
      const client = clientName(envelope as Meta | undefined, server.server.getClientVersion()?.name, meta);
      const origin = { client, meta };
      try {
        return reply(await (asked?.result ?? runTool(deps, tool, raw, await resolve(), origin)));
      } catch (error) {
        return { ...reply(refusalAnswer(asRefusal(deps, tool.name, error))), isError: true };
      }
    });
  const refusal = (what: string, error: unknown) => asRefusal(deps, what, error);
  if (!asked)
    offerMenus(server, {
      read: async (scope, read) => runReading(deps, await resolve(), scope, read),
      refusal,
    });
  const listen: TaskServer['listen'] = async (uris, wire, token) => {
    try {
      const scope = withScope(await resolve(), 'tasks:read');
      if (!deps.feed) throw forbidden('Subscriptions are not offered here.');
      return await deps.feed.listen({ scope, ...(token !== undefined && { token }), ...wire }, uris);
    } catch (error) {
      throw asProtocolError(refusal('subscription', error));
    }
  };
  if (subscribe && !asked) offerSubscriptions(server, (wire) => listen([], wire));
  return Object.assign(server, { listen });
}
