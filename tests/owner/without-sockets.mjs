// A file system on which no socket can be made.
import { Server } from 'node:net';

const { listen } = Server.prototype;
Server.prototype.listen = function (...args) {
  if (!String(args[0]).endsWith('.sock')) return listen.apply(this, args);
  queueMicrotask(() => this.emit('error', Object.assign(new Error('EPERM: simulated'), { code: 'EPERM' })));
  return this;
};
