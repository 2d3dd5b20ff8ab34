import { capped, MAX_COUNT_EACH } from '../domain/lists/list.js';
import type { ProjectList } from '../domain/projects.js';
import type { DetailLevels } from './budget.js';

/** Renders projects and labels. Lower levels drop the labels, then the last projects. */
export function projectsAnswer({ projects, total, archived, labels, moreLabels }: ProjectList): DetailLevels {
  const counted = projects.map(({ name, open, completed }) => ({
    name,
    open: capped(open, MAX_COUNT_EACH),
    ...(completed !== undefined && { completed: capped(completed, MAX_COUNT_EACH) }),
  }));
  return {
    levels: Math.max(counted.length, 1) + (labels.length > 0 ? 1 : 0),
    at(level) {
      const shown = counted.slice(0, level + 1);
      const missing = counted.length - shown.length;
      const part = total > shown.length;
      const named = level >= Math.max(counted.length, 1) ? labels : [];
      const lines =
        total === 0
          ? [archived ? 'No archived projects.' : 'No active projects. Naming a project in a task creates it.']
          : [
              ...(part ? [`The first ${shown.length} of ${total} projects:`] : []),
              ...shown.map(
                ({ name, open, completed }) =>
                  `+${name} · ${open} open${completed === undefined ? '' : ` · ${completed} completed`}`,
              ),
            ];
      const used = named.map((label) => `@${label}`).join(', ');
      return {
        json: {
          projects: shown,
          ...(part && { total }),
          ...(named.length > 0 && { labels: named, ...(moreLabels && { more_labels: true }) }),
        },
        text: [...lines, ...(used ? [`Labels: ${used}${moreLabels ? ' and more' : ''}`] : [])].join('\n'),
        omitted: {
          what: [...(missing ? [`${missing} projects`] : []), ...(named.length < labels.length ? ['labels'] : [])],
        },
      };
    },
  };
}
