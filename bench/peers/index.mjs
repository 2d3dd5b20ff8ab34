import backlog from './backlog.mjs';
import { install } from './install.mjs';
import kazuph from './kazuph.mjs';
import memory from './memory.mjs';
import shrimp from './shrimp.mjs';
import taskMaster from './task-master.mjs';
import taskloom from './taskloom.mjs';

export const ours = taskloom;

/** Returns Taskloom, and every peer that can be installed here. */
export async function servers(log) {
  const all = [{ ...ours }];
  for (const peer of [memory, taskMaster, backlog, shrimp, kazuph]) {
    const folder = await install(peer.package, log);
    if (folder) all.push({ ...peer, folder });
  }
  return all;
}
