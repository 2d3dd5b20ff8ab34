import type { Subject } from '../domain/touched.js';
import type { Resource } from '../resource.js';
import overview from './overview.js';
import project from './project.js';
import task from './task.js';

/** Every resource, in the order a host lists them. */
export const resources: readonly Resource[] = [overview, task, project];

/** Returns what the resource at a URI shows, if the URI is valid. Does not check whether that exists. */
export function subjectOf(address: string): Subject | undefined {
  if (address.length > 1000 || !URL.canParse(address)) return undefined;
  const { href } = new URL(address);
  for (const { uri, template, parse } of resources) {
    const variables = template ? template.uriTemplate.match(href) : href === uri ? {} : null;
    if (!variables) continue;
    try {
      return parse(variables).shows;
    } catch {
      return undefined;
    }
  }
  return undefined;
}
