// A disk without room for the database while there is a file named `full` in its directory.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const home = process.env.TASKLOOM_HOME ?? '';
const { openSync, writeSync } = fs;
const data = new Set();
fs.openSync = (path, ...rest) => {
  const fd = openSync(path, ...rest);
  if (String(path).startsWith(join(home, 'pg18'))) data.add(fd);
  else data.delete(fd);
  return fd;
};
fs.writeSync = (fd, ...rest) => {
  if (data.has(fd) && fs.existsSync(join(home, 'full')))
    throw Object.assign(new Error('ENOSPC: simulated'), { code: 'ENOSPC' });
  return writeSync(fd, ...rest);
};
syncBuiltinESMExports();
