// A do-nothing server: publishes the same tools as Taskloom, and answers every call with the content of a file. Shows the
// minimum cost of an MCP server. `floor.mjs <1|2> <stdio|http> <answer.json>`
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import * as z from 'zod/v4';

const [sdk, transport, file] = process.argv.slice(2);
const answer = JSON.parse(readFileSync(file, 'utf8'));
const catalogue = JSON.parse(readFileSync(new URL('../../dist/catalogue.json', import.meta.url), 'utf8'));
// Built once, not for each request, as a careful author would.
const tools = catalogue['tools/list'].tools.map(
  ({ name, title, description, inputSchema, outputSchema, annotations }) => ({
    name,
    config: {
      title,
      description,
      annotations,
      inputSchema: z.fromJSONSchema(inputSchema),
      outputSchema: z.fromJSONSchema(outputSchema),
    },
  }),
);

function withTools(server) {
  for (const { name, config } of tools) server.registerTool(name, config, async () => answer);
  return server;
}
const info = { name: 'floor', version: '1.0.0' };
const printUrl = (server) => () => console.error(`http://127.0.0.1:${server.address().port}/mcp`);

if (sdk === '1') {
  const { McpServer } = await import('@modelcontextprotocol/sdk/server/mcp.js');
  const build = () => withTools(new McpServer(info));
  if (transport === 'stdio') {
    const { StdioServerTransport } = await import('@modelcontextprotocol/sdk/server/stdio.js');
    await build().connect(new StdioServerTransport());
  } else {
    const { StreamableHTTPServerTransport } = await import('@modelcontextprotocol/sdk/server/streamableHttp.js');
    const server = createServer(async (request, response) => {
      const http = new StreamableHTTPServerTransport({ enableJsonResponse: true });
      const built = build();
      response.once('close', () => void built.close());
      await built.connect(http);
      await http.handleRequest(request, response);
    });
    server.listen(0, '127.0.0.1', printUrl(server));
  }
} else {
  const { createMcpHandler, McpServer } = await import('@modelcontextprotocol/server');
  const build = () => withTools(new McpServer(info));
  if (transport === 'stdio') {
    const { serveStdio } = await import('@modelcontextprotocol/server/stdio');
    serveStdio(build);
  } else {
    const { createAdaptorServer } = await import('@hono/node-server');
    const handler = createMcpHandler(build);
    const server = createAdaptorServer({ fetch: (request) => handler.fetch(request) });
    server.listen(0, '127.0.0.1', printUrl(server));
  }
}
