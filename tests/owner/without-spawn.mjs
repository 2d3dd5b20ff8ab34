// A host's sandbox that starts no process.
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';

childProcess.spawn = () => {
  throw Object.assign(new Error('spawn EPERM'), { code: 'EPERM' });
};
syncBuiltinESMExports();
