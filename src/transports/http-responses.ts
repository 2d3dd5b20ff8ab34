import type { RequestId } from '@modelcontextprotocol/server';
import { SCOPES, type Scope } from '../auth/scopes.js';
import { REFUSED_TOKEN } from '../auth/tokens.js';

/** Makes an error response that says what is wrong and nothing else. `statusText` is the reason that is logged. */
export const refuse = (
  status: 401 | 403 | 413 | 415 | 429 | 503,
  error: string,
  message: string,
  headers: Record<string, string> = {},
): Response => Response.json({ error, message }, { status, statusText: error, headers });

/** Makes an error response in the protocol's form; without an id, to a body that is refused as a whole. */
export const jsonRpcError = (
  status: 200 | 400 | 413 | 503,
  code: number,
  message: string,
  id: RequestId | null = null,
): Response => Response.json({ jsonrpc: '2.0', error: { code, message }, id }, { status });

/** In the form of OAuth: after a 401, hosts look for its endpoints, and show what they are told there. */
export const notFound = () =>
  Response.json(
    {
      error: 'not_found',
      error_description:
        'This server takes personal access tokens, not OAuth: send the header Authorization: Bearer tlm_…',
    },
    { status: 404 },
  );

const REALM = 'Bearer realm="taskloom"';

const challenge = (text: string) => ({ 'WWW-Authenticate': text });

export const noToken = () =>
  refuse(
    401,
    'unauthorized',
    'Send the header Authorization: Bearer tlm_…, with a personal access token.',
    challenge(REALM),
  );

export const badToken = (message = REFUSED_TOKEN) =>
  refuse(401, 'invalid_token', message, challenge(`${REALM}, error="invalid_token"`));

/** For a token that was cut off, or that another program made. */
export const malformedToken = () =>
  badToken(
    'The token in the header Authorization is not a Taskloom token. Send the whole token: tlm_ and 43 more characters.',
  );

export const lacks = (scope: Scope) =>
  refuse(
    403,
    'insufficient_scope',
    `This token lacks the scope ${scope}. Whoever runs this server can create one that has it: taskloom token create --user <handle>.`,
    challenge(`${REALM}, error="insufficient_scope", scope="${scope}"`),
  );

/** @param seconds until another request fits */
export const tooManyRequests = (seconds: number, message = 'Too many requests.') =>
  refuse(429, 'rate_limited', `${message} Wait ${seconds} s, then repeat this one.`, {
    'Retry-After': String(seconds),
  });

/** Replaces the SDK's response to a missing scope, which has neither the realm nor a hint. */
export function inOurWords(response: Response): Response {
  if (response.status !== 403) return response;
  const scope = SCOPES.find((each) => response.headers.get('www-authenticate')?.includes(`scope="${each}"`));
  return scope ? lacks(scope) : response;
}
