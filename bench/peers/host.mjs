// Acts as a host for any of the servers: starts it in a home directory of its own, calls its tools, counts tokens.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';

export const tokens = (value) => encode(typeof value === 'string' ? value : JSON.stringify(value)).length;
export const p50 = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
export const sum = (values) => values.reduce((total, value) => total + value, 0);

export async function time(work) {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

const homes = [];
export function newHome() {
  const home = mkdtempSync(join(tmpdir(), 'taskloom-peers-'));
  mkdirSync(join(home, 'tmp'));
  homes.push(home);
  return home;
}
export function removeHomes() {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true, maxRetries: 5 });
}

/** Returns the environment of a server: a home directory without the user's files, and telemetry opted out. */
export const environment = (home, more = {}) => ({
  PATH: process.env.PATH,
  HOME: home,
  USERPROFILE: home,
  TMPDIR: join(home, 'tmp'),
  DO_NOT_TRACK: '1',
  ...more,
});

export async function start({ command = process.execPath, args, env, cwd }) {
  const client = new Client({ name: 'bench', version: '1.0.0' }, { capabilities: { roots: {} } });
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [] }));
  // Some peers print a greeting to stdout, which hosts ignore.
  client.onerror = () => {};
  await client.connect(new StdioClientTransport({ command, args, cwd, env: environment(cwd, env), stderr: 'ignore' }), {
    timeout: 120_000,
  });
  return {
    close: () => client.close(),
    tools: async () => (await client.listTools()).tools,
    async call([name, given]) {
      const answer = await client.callTool({ name, arguments: given }, undefined, { timeout: 120_000 });
      const text = answer.content.map((block) => block.text ?? '').join('\n');
      if (answer.isError) throw new Error(`${name}: ${text.slice(0, 300)}`);
      return { text, data: answer.structuredContent };
    },
  };
}

/** The fields of a tool that a host shows to a model. */
export const shown = ({ name, description, inputSchema }) => ({ name, description, inputSchema });
