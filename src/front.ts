import {
  type ListPromptsResult,
  type ListResourcesResult,
  type ListResourceTemplatesResult,
  type ListToolsResult,
  Server,
} from '@modelcontextprotocol/server';
import { implementation, serverOptions } from './server-options.js';
import { tolerant } from './tolerance.js';

/** Results of all list requests, by method. */
export interface Catalogue {
  'tools/list': ListToolsResult;
  'prompts/list': ListPromptsResult;
  'resources/list': ListResourcesResult;
  'resources/templates/list': ListResourceTemplatesResult;
}

/**
 * Builds the server for a stdio client's handshake and list requests, answered from the catalogue without data. Clients
 * start a server just to list its tools, often two at once.
 *
 * @param subscribe whether this client can be notified of changes
 */
export function buildFront(version: string, lists: Catalogue, subscribe: boolean): Server {
  const server = tolerant(new Server(implementation(version), serverOptions(subscribe)));
  server.setRequestHandler('tools/list', () => lists['tools/list']);
  server.setRequestHandler('prompts/list', () => lists['prompts/list']);
  server.setRequestHandler('resources/list', () => lists['resources/list']);
  server.setRequestHandler('resources/templates/list', () => lists['resources/templates/list']);
  return server;
}
