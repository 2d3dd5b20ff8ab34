import type { HostCheck } from './host-check.js';
import type { Ends } from './mcp-endpoint.js';

/** The web application: answers one request. */
export type Fetch = (request: Request, ends: Ends) => Promise<Response>;

/** What clients send, in any version of the protocol. */
const REQUEST_HEADERS =
  'Authorization, Content-Type, Accept, Last-Event-ID, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name';

const PREFLIGHT = {
  'Access-Control-Allow-Methods': 'POST, GET, DELETE',
  'Access-Control-Allow-Headers': REQUEST_HEADERS,
  'Access-Control-Max-Age': '7200', // browsers keep it no longer
};

/** Lets clients in browsers connect (CORS), from pages of origins that the host check accepts. */
export function withCrossOrigin(fetch: Fetch, hosts: HostCheck): Fetch {
  return async (request, ends) => {
    const origin = request.headers.get('origin');
    if (!origin || hosts.refusal(request)) return fetch(request, ends);
    const isPreflight = request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
    const response = isPreflight ? new Response(null, { status: 204, headers: PREFLIGHT }) : await fetch(request, ends);
    response.headers.set('Access-Control-Allow-Origin', origin);
    response.headers.set('Access-Control-Expose-Headers', 'WWW-Authenticate, Retry-After, Mcp-Session-Id');
    response.headers.append('Vary', 'Origin');
    return response;
  };
}
