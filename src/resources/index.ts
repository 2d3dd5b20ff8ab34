import type { Resource } from '../resource.js';
import overview from './overview.js';
import project from './project.js';
import task from './task.js';

/** Every resource, in the order a host lists them. */
export const resources: readonly Resource[] = [overview, task, project];
