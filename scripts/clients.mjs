// Writes the client configurations in this repository, all from one definition. With --check, writes nothing and fails
// if a file is out of date.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const command = 'node';
const main = 'dist/main.js';
const mcpServers = { taskloom: { command, args: [main] } };

/** The configuration files by path. Paths in them are relative to the directory in which the client starts servers. */
export const clients = {
  // MCP Inspector, and any other client that reads `mcpServers` from its working directory.
  'mcp.json': { mcpServers },
  // Claude Code, if started in the repository.
  '.mcp.json': { mcpServers },
  // VS Code does not guarantee a working directory, so the path begins at the open folder.
  '.vscode/mcp.json': {
    servers: { taskloom: { type: 'stdio', command, args: [`\${workspaceFolder}/${main}`] } },
  },
};

/** Formats a configuration as Biome does: an array of one string stays on one line. */
export const format = (config) => `${JSON.stringify(config, null, 2).replace(/\[\s+("[^"]*")\s+\]/g, '[$1]')}\n`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes('--check');
  for (const [file, config] of Object.entries(clients)) {
    const path = new URL(`../${file}`, import.meta.url);
    if (check) {
      if (read(path) === format(config)) continue;
      console.error(`${file} is out of date. Run: npm run clients`);
      process.exitCode = 1;
    } else {
      mkdirSync(dirname(fileURLToPath(path)), { recursive: true });
      writeFileSync(path, format(config));
    }
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
