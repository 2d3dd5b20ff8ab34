import type { McpHttpHandler } from '@modelcontextprotocol/server';
import { isBusy, isUnreachable, setupMistake } from '../db/database-errors.js';
import { refusalIn } from '../errors.js';
import { framesOf } from '../log.js';
import type { Deps } from '../tool-calls.js';
import { type Fetch, withCrossOrigin } from './cross-origin.js';
import { HostCheck } from './host-check.js';
import { notFound, refuse, tooManyRequests } from './http-responses.js';
import type { HttpSubscriptions } from './http-subscriptions.js';
import { originOf } from './limits.js';
import { type HttpOptions, McpEndpoint } from './mcp-endpoint.js';
import type { OutageLog } from './outage.js';
import { Readiness } from './readiness.js';
import { RefusalLog } from './refusal-log.js';

/** Makes the web application: the MCP endpoint and the health endpoints. */
export function createApp(
  deps: Deps,
  options: HttpOptions,
): { fetch: Fetch; handler: McpHttpHandler; streams: HttpSubscriptions } {
  const refusals = new RefusalLog(deps.log, options.steady);
  const hosts = new HostCheck(options.allowedHosts, deps.log);
  const mcp = new McpEndpoint(deps, hosts, options);
  const readiness = new Readiness(deps.store, deps.outages);

  const fetch: Fetch = async (request, ends) => {
    const path = /^\w+:\/\/[^/]*([^?#]*)/.exec(request.url)?.[1];
    try {
      if (path === '/mcp') {
        const response = await mcp.fetch(request, ends).catch((error) => refusalOf(error, deps.outages));
        refusals.note(response, () =>
          originOf(ends.incoming.socket.remoteAddress, request.headers.get('x-forwarded-for'), options.proxies),
        );
        return response;
      }
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      if (isRead && path === '/livez') return new Response('ok');
      if (isRead && path === '/readyz')
        return (await readiness.check()) ? new Response('ok') : new Response('database unreachable', { status: 503 });
      return notFound();
    } catch (error) {
      deps.log.error({ kind: (error as Error).name, at: framesOf(error) }, 'http failure');
      return Response.json({ error: 'internal' }, { status: 500 });
    }
  };
  return { fetch: withCrossOrigin(fetch, hosts), handler: mcp.handler, streams: mcp.streams };
}

/** Returns the response to overload, or to a database that is away or refuses this server. Rethrows other errors. */
function refusalOf(error: unknown, outages: OutageLog): Response {
  const refusal = refusalIn(error);
  if (refusal?.body.code === 'rate_limited') return tooManyRequests(1, refusal.message);
  const busy = isBusy(error);
  if (!(busy || isUnreachable(error) || setupMistake(error))) throw error;
  if (busy) outages.busy();
  else outages.unreachable(error);
  const message = `The task database ${busy ? 'is busy' : 'cannot be reached'}. Try again in a moment.`;
  return refuse(503, 'unavailable', message, { 'Retry-After': '1' });
}
