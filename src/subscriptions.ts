import { type McpServer, ResourceNotFoundError } from '@modelcontextprotocol/server';
import { rateLimited } from './errors.js';
import type { Subscription } from './feed.js';
import { AGAIN_KEY } from './meta.js';
import { asProtocolError } from './prompts-and-resources.js';
import { subjectOf } from './resources/index.js';
import type { SubscriptionSink } from './server.js';

/** To how many addresses each who listens may subscribe. */
const MOST_ADDRESSES = 500;

/** The addresses among these that can be subscribed to, each once. */
export const known = (uris: string[]): string[] =>
  [...new Set(uris)].filter((uri) => subjectOf(uri) !== undefined).slice(0, MOST_ADDRESSES);

/**
 * Serves `resources/subscribe` and `resources/unsubscribe` of 2025, on a connection that lasts. Clients of 2026-07-28
 * ask otherwise: the SDK answers `subscriptions/listen`, and the transport brings it to the feed.
 */
export function offerSubscriptions(
  { server }: McpServer,
  listen: (wire: SubscriptionSink) => Promise<Subscription>,
): void {
  let subscription: Promise<Subscription> | undefined;
  let closed = false;
  const uris = new Set<string>();
  const wire: SubscriptionSink = {
    deliver: async (uris) => {
      for (const uri of uris) await server.sendResourceUpdated({ uri });
    },
    end: () => {
      subscription = undefined; // of 2025, a server has no way to say so
      uris.clear();
    },
  };
  server.setRequestHandler('resources/subscribe', async ({ params: { uri } }, { mcpReq }) => {
    if (subjectOf(uri) === undefined) throw new ResourceNotFoundError(uri);
    if (!uris.has(uri) && uris.size >= MOST_ADDRESSES) throw asProtocolError(TOO_MANY.body);
    uris.add(uri); // before anything is waited for: whoever takes the last one away meanwhile must see it
    subscription ??= listen(wire).catch((error: unknown) => {
      subscription = undefined;
      uris.clear();
      throw error;
    });
    const opened = await subscription;
    if (closed) opened.close();
    opened.add([uri]);
    if (mcpReq._meta?.[AGAIN_KEY] === true) opened.again([uri]);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', async ({ params: { uri } }) => {
    uris.delete(uri); // likewise: it may be subscribed to again meanwhile
    const opened = await subscription;
    opened?.remove(uri);
    if (uris.size === 0) {
      opened?.close();
      subscription = undefined;
    }
    return {};
  });
  const { onclose } = server;
  server.onclose = () => {
    closed = true;
    void subscription?.then((opened) => opened.close()).catch(() => {});
    onclose?.();
  };
}

const TOO_MANY = rateLimited(
  `This connection is subscribed to ${MOST_ADDRESSES} addresses, which is the most.`,
  'Unsubscribe from some of them first.',
);
