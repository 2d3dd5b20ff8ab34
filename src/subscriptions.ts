import { type McpServer, ResourceNotFoundError } from '@modelcontextprotocol/server';
import { rateLimited } from './errors.js';
import type { Subscription } from './feed.js';
import { RESUBSCRIBED_KEY } from './meta.js';
import { asProtocolError } from './prompts-and-resources.js';
import { subjectOf } from './resources/index.js';
import type { SubscriptionSink } from './server.js';

/** Maximum number of URIs per subscriber. */
const MAX_URIS = 500;

/** Returns the distinct URIs that can be subscribed to, 500 at most. */
export const subscribableUris = (uris: string[]): string[] =>
  [...new Set(uris)].filter((uri) => subjectOf(uri) !== undefined).slice(0, MAX_URIS);

/**
 * Serves the 2025 methods `resources/subscribe` and `resources/unsubscribe` on a lasting connection. Clients of
 * 2026-07-28 use `subscriptions/listen`, which the SDK answers and the transport connects to the feed.
 */
export function offerSubscriptions(
  { server }: McpServer,
  listen: (wire: SubscriptionSink) => Promise<Subscription>,
): void {
  let subscription: Promise<Subscription> | undefined;
  let closed = false;
  const uris = new Set<string>();
  const wire: SubscriptionSink = {
    deliver: async (changed) => {
      for (const uri of changed) await server.sendResourceUpdated({ uri });
    },
    end: () => {
      subscription = undefined; // the 2025 protocol has no message for this
      uris.clear();
    },
  };
  server.setRequestHandler('resources/subscribe', async ({ params: { uri } }, { mcpReq }) => {
    if (subjectOf(uri) === undefined) throw new ResourceNotFoundError(uri);
    if (!uris.has(uri) && uris.size >= MAX_URIS) throw asProtocolError(TOO_MANY);
    uris.add(uri); // before any await: a concurrent unsubscribe of the last URI must see it
    subscription ??= listen(wire).catch((error: unknown) => {
      subscription = undefined;
      uris.clear();
      throw error;
    });
    const opened = await subscription;
    if (closed) opened.close();
    opened.add([uri]);
    if (mcpReq._meta?.[RESUBSCRIBED_KEY] === true) opened.resend([uri]);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', async ({ params: { uri } }) => {
    uris.delete(uri); // likewise: a concurrent subscribe may add it again
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
  `This connection is subscribed to ${MAX_URIS} addresses, the maximum.`,
  'Unsubscribe from some of them first.',
);
