// Clients: the official ones, as hosts use them, and raw ones for measurements that must exclude the cost of a client
// library. All have `call(tool, arguments)`, which throws if the call is refused, and `close()`.
import { spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { Client as Client2, StreamableHTTPClientTransport as Http2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as Stdio1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as Http1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const INFO = { name: 'bench', version: '1.0.0' };
const MODERN = '2026-07-28';
const bearer = (token) => (token ? { authorization: `Bearer ${token}` } : {});

function checked(result, tool) {
  if (!result || result.isError)
    throw Object.assign(new Error(`${tool}: ${result?.content?.[0]?.text ?? 'no result'}`), {
      code: result?.structuredContent?.error?.code,
    });
  return result;
}

async function connected(client, transport) {
  await client.connect(transport);
  return {
    client,
    pid: transport.pid,
    call: async (name, args = {}) => checked(await client.callTool({ name, arguments: args }), name),
    close: () => client.close(),
  };
}

const stdio = (args, env) => ({ command: process.execPath, args, env, stderr: 'ignore' });
const newClient2 = (era) =>
  new Client2(INFO, { versionNegotiation: { mode: era === MODERN ? { pin: MODERN } : 'legacy' } });

/** The 1.x client over stdio, as in most hosts. */
export const stdioClient1 = (args, env) => connected(new Client1(INFO), new Stdio1(stdio(args, env)));
export const stdioClient2 = (args, env, era = MODERN) => connected(newClient2(era), new Stdio2(stdio(args, env)));
export const httpClient1 = (url, token) =>
  connected(new Client1(INFO), new Http1(new URL(url), { requestInit: { headers: bearer(token) } }));
export const httpClient2 = (url, token, era = MODERN) =>
  connected(newClient2(era), new Http2(new URL(url), { requestInit: { headers: bearer(token) } }));

/** Sends raw JSON-RPC over the pipes of a process. `initialize` does the handshake of the 2025 protocol. */
export function rawStdio(args, env) {
  const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'ignore'] });
  const waiting = new Map();
  let rest = '';
  let next = 1;
  child.stdin.on('error', () => {}); // writes to a process that has exited fail
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const message = JSON.parse(line);
      waiting.get(message.id)?.resolve(message.result ?? { isError: true, content: [{ text: line }] });
      waiting.delete(message.id);
    }
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  ended.then((code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the server exited with code ${code}`));
  });
  const send = (message) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const ask = (method, params = {}) =>
    new Promise((resolve, reject) => {
      waiting.set(next, { resolve, reject });
      send({ id: next++, method, params });
    });
  return {
    pid: child.pid,
    ask,
    call: async (name, args = {}) => checked(await ask('tools/call', { name, arguments: args }), name),
    async initialize() {
      await ask('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: INFO });
      send({ method: 'notifications/initialized' });
    },
    close: () => {
      child.stdin.end();
      return ended;
    },
  };
}

const META = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': INFO,
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** Returns the headers and body of a request of protocol 2026-07-28. */
export function modernRequest(token, method, params, id = 1) {
  const body = JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: META } });
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': MODERN,
    'mcp-method': method,
    ...(params.name && { 'mcp-name': params.name }),
    'content-length': Buffer.byteLength(body),
    ...bearer(token),
  };
  return { headers, body };
}

/** Sends raw requests over kept-alive connections: cheap enough for one process to load a server fully. */
export function rawHttp(url, token, { connections = 64 } = {}) {
  // Idle connections are closed before the server closes them (after 10 s), which would lose a request in transit.
  const agent = new Agent({ keepAlive: true, maxSockets: connections, timeout: 8_000 });
  let next = 1;
  const ask = (method, params) =>
    new Promise((resolve, reject) => {
      const { headers, body } = modernRequest(token, method, params, next++);
      const sent = request(url, { method: 'POST', agent, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        answer.once('error', reject).once('end', () => {
          const data = text.startsWith('{')
            ? text
            : text
                .match(/^data: (.+)$/gm)
                ?.at(-1)
                ?.slice('data: '.length);
          if (answer.statusCode !== 200 || !data) reject(new Error(`HTTP ${answer.statusCode}: ${text}`));
          else resolve(JSON.parse(data).result ?? { isError: true, content: [{ text: data }] });
        });
      });
      sent
        .once('error', (error) => reject(new Error(`${error.message} (reused connection: ${sent.reusedSocket})`)))
        .end(body);
    });
  return {
    ask,
    call: async (name, args = {}) => checked(await ask('tools/call', { name, arguments: args }), name),
    close: async () => agent.destroy(),
  };
}
