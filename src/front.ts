import {
  type ListPromptsResult,
  type ListResourcesResult,
  type ListResourceTemplatesResult,
  type ListToolsResult,
  Server,
} from '@modelcontextprotocol/server';
import { implementation, serverOptions } from './server-options.js';

/** The answers to everything that can be listed. */
export interface Lists {
  'tools/list': ListToolsResult;
  'prompts/list': ListPromptsResult;
  'resources/list': ListResourcesResult;
  'resources/templates/list': ListResourceTemplatesResult;
}

/**
 * Builds the server that a stdio client talks to first: it shakes hands and lists, from what is written down,
 * and has no data. Clients start a server just to list its tools, often twice at once.
 *
 * @param subscribe whether what changes can be told to this client
 */
export function buildFront(version: string, lists: Lists, subscribe: boolean): Server {
  const server = new Server(implementation(version), serverOptions(subscribe));
  server.setRequestHandler('tools/list', () => lists['tools/list']);
  server.setRequestHandler('prompts/list', () => lists['prompts/list']);
  server.setRequestHandler('resources/list', () => lists['resources/list']);
  server.setRequestHandler('resources/templates/list', () => lists['resources/templates/list']);
  return server;
}
