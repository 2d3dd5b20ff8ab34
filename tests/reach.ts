/** What a user might know of another's tasks. */
export interface Foreign {
  id: number;
  title: string;
  project: string;
  label: string;
}

/**
 * How each tool could be used to reach somebody else's tasks: the isolation suite calls every one as the
 * wrong user. A tool without a row fails the catalogue.
 */
export const reach: Record<string, (foreign: Foreign) => Record<string, unknown>[]> = {
  add_task: ({ id }) => [{ title: 'Mine', parent: id }],
  list_tasks: ({ id, title, project, label }) => [
    { parent: id, status: 'all' },
    { text: title, status: 'all' },
    { text: `${title}x or "${title}"`, status: 'all', sort: 'due' },
    { text: String(id), status: 'all' },
    { project, status: 'all' },
    { labels: [label], status: 'all' },
    { status: 'deleted' },
    { status: 'all', due: 'overdue' },
    { status: 'all', changed_since: '2020-01-01', detail: 'full', limit: 100 },
    { completed_since: '2020-01-01' },
  ],
  get_task: ({ id, title }) => [{ ids: [id] }, { id }, { ids: [title] }],
  update_task: ({ id }) => [
    { ids: [id], title: 'Taken' },
    { ids: [id], status: 'pending' },
    { ids: [id], status: 'completed' },
    { ids: [id], clear: ['description'] },
    { ids: [id], add_labels: ['mine'] },
    { ids: [id], project: 'Mine' },
  ],
  complete_task: ({ id }) => [{ ids: [id] }],
  delete_task: ({ id }) => [{ ids: [id] }],
  list_projects: () => [{}],
  get_overview: () => [{}],
};
