import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { describe, expect, test } from 'vitest';
import { callWith } from '../support/harness.js';
import { ROOT, seeded } from '../support/process.js';

const source = (await import(join(ROOT, 'scripts/clients.mjs'))) as {
  clients: Record<string, object>;
  format(config: object): string;
};

interface Entry {
  command: string;
  args: string[];
}

const files = Object.keys(source.clients);
const contentOf = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** What a client reads in the file, with the variable that VS Code fills in. */
function entryOf(file: string): Entry {
  const config = JSON.parse(contentOf(file).replaceAll(`\${workspaceFolder}`, ROOT.replace(/\/$/, '')));
  return (config.mcpServers ?? config.servers).taskloom;
}

test('there is a configuration for each client', () => {
  expect(files.sort()).toEqual(['.mcp.json', '.vscode/mcp.json', 'mcp.json']);
});

describe.each(files)('%s', (file) => {
  test('is what the one source says', () => {
    expect(contentOf(file)).toBe(source.format(source.clients[file] ?? {}));
  });

  test('starts a server that keeps tasks', async () => {
    const { command, args } = entryOf(file);
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StdioClientTransport({ command, args, cwd: ROOT, env: seeded(), stderr: 'ignore' }));
    try {
      const { tools } = await client.listTools();
      expect(tools.map((tool) => tool.name)).toEqual(expect.arrayContaining(['add_task', 'list_tasks']));

      const added = await callWith(client, 'add_task', { title: 'Water the plants' });
      expect(added.json.task).toMatchObject({ id: 1, title: 'Water the plants' });
      const listed = await callWith(client, 'list_tasks', {});
      expect(listed.json).toMatchObject({ tasks: [{ id: 1, title: 'Water the plants' }], total: 1 });
    } finally {
      await client.close();
    }
  });
});
