import { projectsAnswer } from '../answers/projects.js';
import { pageAnswer } from '../answers/task-list.js';
import { refuseUnused } from '../domain/labels.js';
import { firstTasks } from '../domain/lists/list.js';
import { listProjects } from '../domain/projects.js';
import { completeLabels } from '../domain/suggest.js';
import { name } from '../fields.js';
import { definePrompt } from '../prompt.js';

export default definePrompt({
  name: 'triage_inbox',
  title: 'Triage inbox',
  description: 'Go through open tasks that have no project, due date or priority, and decide on each.',
  args: { label: name().describe('only tasks with this label').optional() },
  complete: { label: completeLabels },
  run: async ({ label }, tx, { now }) => {
    if (label !== undefined) await refuseUnused(tx, label);
    const labels = label === undefined ? undefined : [label];
    return {
      // These tasks have no due date, so sorting by due puts the oldest first.
      page: await firstTasks(
        tx,
        { project: null, parent: null, due: 'none', priority: 'none', sort: 'due', labels },
        { now },
      ),
      projects: await listProjects(tx),
    };
  },
  message: ({ page, projects }, context, { label }) => ({
    ask: 'Help me triage my inbox: the open tasks below that have no project, no due date and no priority. Suggest for each, by its number (#12), what to do: give it a project (one of mine if it fits), a priority, a due date only if there is a real one, labels I already use; or merge it with another, or drop it. Ask about those you cannot judge instead of guessing. Show me your suggestions as one short list, and write nothing yet. When I agree, make the changes with update_task, many ids at once where they get the same; use status cancelled for what I drop.',
    data: [
      { title: `Inbox${label === undefined ? '' : ` with @${label}`}`, what: pageAnswer(page, context) },
      { title: 'My projects', what: projectsAnswer(projects) },
    ],
  }),
});
