// Writes the client configurations that this repository brings, all from one definition. With --check it
// writes nothing and fails where a file is not what it would write.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const command = 'node';
const main = 'dist/main.js';
const mcpServers = { taskloom: { command, args: [main] } };

/** Each file, and what is in it. Paths are relative to where the client starts a server: see the README. */
export const clients = {
  // Inspector, and whatever reads `mcpServers` from the directory it is started in.
  'mcp.json': { mcpServers },
  // Claude Code, when started in the repository.
  '.mcp.json': { mcpServers },
  // VS Code promises no working directory, so the path starts from the folder that is open.
  '.vscode/mcp.json': {
    servers: { taskloom: { type: 'stdio', command, args: [`\${workspaceFolder}/${main}`] } },
  },
};

/** As Biome formats it: a list of one string stays on its line. */
export const written = (config) => `${JSON.stringify(config, null, 2).replace(/\[\s+("[^"]*")\s+\]/g, '[$1]')}\n`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes('--check');
  for (const [file, config] of Object.entries(clients)) {
    const path = new URL(`../${file}`, import.meta.url);
    if (check) {
      if (read(path) === written(config)) continue;
      console.error(`${file} is out of date. Run: npm run clients`);
      process.exitCode = 1;
    } else {
      mkdirSync(dirname(fileURLToPath(path)), { recursive: true });
      writeFileSync(path, written(config));
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
