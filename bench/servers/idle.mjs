// An SDK server with one tool that does nothing: the minimum cost of any MCP server.
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod/v4';

const input = z.object({ ids: z.array(z.number()).optional() });
serveStdio(() => {
  const server = new McpServer({ name: 'idle', version: '1.0.0' });
  server.registerTool('nothing', { description: 'Does nothing.', inputSchema: input }, async () => ({
    content: [{ type: 'text', text: 'ok' }],
  }));
  return server;
});
