// Preloaded into a program to inject faults: every write to a file whose path contains FAULT_FOLDER fails with FAULT_CODE.
// A directory there cannot be removed while files are created in it, as can happen on a real system.
// If FAULT_IMAGE is set, the image of a new database is missing.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { FAULT_FOLDER: folder, FAULT_CODE: code, FAULT_IMAGE: image } = process.env;
const real = { ...fs };
const inside = (path) => code && folder && String(path).includes(folder);
const fail = () => {
  throw Object.assign(new Error(`${code}: simulated`), { code });
};
const faulty = new Set();
fs.openSync = (path, flags, ...rest) => {
  const writes = typeof flags === 'number' && (flags & 3) !== 0;
  if (inside(path) && writes && code === 'EROFS') fail();
  const fd = real.openSync(path, flags, ...rest);
  if (inside(path)) faulty.add(fd);
  return fd;
};
fs.closeSync = (fd) => {
  faulty.delete(fd);
  real.closeSync(fd);
};
fs.writeSync = (fd, ...rest) => (faulty.has(fd) ? fail() : real.writeSync(fd, ...rest));
fs.writeFileSync = (path, ...rest) => (inside(path) ? fail() : real.writeFileSync(path, ...rest));
let making = 0;
fs.rmSync = (path, ...rest) => {
  if (inside(path) && making > 0) throw Object.assign(new Error('ENOTEMPTY: simulated'), { code: 'ENOTEMPTY' });
  real.rmSync(path, ...rest);
};
const open = fs.promises.open;
fs.promises.open = async (path, flags, ...rest) => {
  if (!inside(path)) return open(path, flags, ...rest);
  making += 1;
  const handle = await open(path, flags, ...rest).finally(() => {
    making -= 1;
  });
  handle.writeFile = async () => fail();
  return handle;
};
const readFile = fs.promises.readFile;
fs.promises.readFile = async (path, ...rest) => {
  if (image && String(path).endsWith('.br')) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
  return readFile(path, ...rest);
};
syncBuiltinESMExports();
