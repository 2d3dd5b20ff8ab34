/** What a user might know about another's tasks. */
export interface Foreign {
  id: number;
  title: string;
  project: string;
  label: string;
}

/**
 * Arguments with which each tool might reach another user's tasks: the isolation suite calls all of them as the wrong
 * user. Tests fail for a tool without an entry.
 */
export const reach: Record<string, (foreign: Foreign) => Record<string, unknown>[]> = {
  add_task: ({ id, title, project }) => [
    { title: 'Mine', parent: id },
    { title: 'Mine', blocked_by: [id] },
    { title, project, dry_run: true },
    { title: 'Mine', project: 'Zbra', labels: ['zbrafish'], dry_run: true },
  ],
  add_tasks: ({ id, title, project, label }) => [
    { tasks: [{ title: 'Mine', parent: id }] },
    { tasks: [{ title: 'Mine' }, { title: 'Also mine', blocked_by: [id] }] },
    {
      tasks: [
        { title, project, labels: [label] },
        { title: 'Mine', labels: ['zbrafish'] },
      ],
      dry_run: true,
    },
  ],
  list_tasks: ({ id, title, project, label }) => [
    { parent: id, status: 'all' },
    { text: title, status: 'all' },
    { text: `${title}x or "${title}"`, status: 'all', sort: 'due' },
    { text: String(id), status: 'all' },
    { project, status: 'all' },
    { project: 'none', status: 'all' },
    { project: 'none', text: title, status: 'all' },
    { priority: 'none', status: 'all', sort: 'due' },
    { labels: [label], status: 'all' },
    { labels: ['unheard of'], status: 'all' },
    { text: label },
    { text: project },
    { project: 'none', labels: [label] },
    { status: 'deleted' },
    { status: 'all', due: 'overdue' },
    { status: 'all', changed_since: '2020-01-01', detail: 'full', limit: 100 },
    { completed_since: '2020-01-01' },
    { claimed_by: 'any' },
    { claimed_by: 'zebra keeper', status: 'all' },
    { status: 'all', ready: true, sort: 'manual' },
  ],
  get_task: ({ id, title }) => [{ ids: [id] }, { id }, { ids: [title] }, { id, comments_before: 1_000 }],
  update_task: ({ id }) => [
    { ids: [id], title: 'Taken' },
    { ids: [id], status: 'pending' },
    { ids: [id], status: 'completed' },
    { ids: [id], clear: ['description'] },
    { ids: [id], add_labels: ['mine'] },
    { ids: [id], project: 'Mine' },
    { ids: [id], project: 'none' },
    { ids: [id], shift: '1 day' },
    { ids: [1], parent: id },
    { ids: [1], project: 'Zbra', add_labels: ['zbrafish'], dry_run: true },
    { ids: [1], add_blocked_by: [id] },
    { ids: [1], remove_blocked_by: [id] },
    { ids: [1], before: id },
    { ids: [1], after: id },
    { ids: [id], expected_version: 1, title: 'Taken' },
    { ids: [id], claim: 1, title: 'Taken' },
    { ids: [id], expect_title: 'Zebra merger plan', title: 'Taken' },
  ],
  complete_task: ({ id, title }) => [{ ids: [id] }, { id, expect_title: title }, { id, claim: 1 }],
  delete_task: ({ id }) => [{ ids: [id] }, { id, claim: 1 }],
  claim_task: ({ id, title, project, label }) => [
    { id },
    { id, claim: 1 },
    { id, claim: id, agent: 'Mine' },
    { text: title },
    { text: String(id) },
    { text: 'zebra', dry_run: true },
    { project },
    { project: 'none', text: title },
    { labels: [label] },
    { priority: 'urgent' },
  ],
  release_task: ({ id }) => [
    { id },
    { id, claim: 1, note: 'Mine' },
    { id, status: 'pending' },
    { id, claim: id, status: 'completed' },
  ],
  undo: ({ id }) => [{ undo: `u${id}` }],
  add_comment: ({ id }) => [{ id, text: 'Hello' }],
  list_projects: () => [{}, { archived: true, completed: true }],
  update_project: ({ project }) => [
    { project, name: 'Mine' },
    { project, archived: true },
    { project, merge_into: 'Mine' },
  ],
  what_changed: ({ id }) => [{}, { cursor: 0 }, { cursor: id }, { not_by: 'nobody' }],
  get_overview: () => [{}],
};

/** The same for each prompt: its arguments. */
export const promptReach: Record<string, (foreign: Foreign) => Record<string, string>[]> = {
  plan_my_day: ({ label }) => [{}, { label }, { date: '2026-11-20', minutes: '90' }],
  weekly_review: () => [{}],
  triage_inbox: ({ label }) => [{}, { label }],
  break_down: ({ id, title }) => [{ task: String(id) }, { task: title }, { task: `#${id} ${title}` }],
};

/** The same for each resource: its URIs. */
export const resourceReach: Record<string, (foreign: Foreign) => string[]> = {
  overview: () => ['taskloom://overview'],
  task: ({ id }) => [`taskloom://task/${id}`, `taskloom://task/%23${id}`, `taskloom://task/%20${id}`],
  project: ({ project }) => [`taskloom://project/${project}`, `taskloom://project/%2B${project}%20`],
};

/** The same for each completion: the text to complete. */
export const completionReach: Record<string, (foreign: Foreign) => string[]> = {
  'plan_my_day label': ({ label }) => ['', label, label.slice(0, 3)],
  'triage_inbox label': ({ label }) => ['', label, label.slice(0, 3)],
  'break_down task': ({ id, title }) => ['', String(id), String(id).slice(0, 2), title, title.slice(0, 3)],
  'taskloom://task/{id} id': ({ id, title }) => ['', String(id), `#${id}`, title.slice(0, 3)],
  'taskloom://project/{name} name': ({ project }) => ['', project, project.slice(0, 3)],
};
