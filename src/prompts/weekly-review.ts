import { overviewAnswer } from '../answers/overview.js';
import { projectsAnswer } from '../answers/projects.js';
import { pageAnswer } from '../answers/task-list.js';
import { today } from '../domain/dates/clock.js';
import { firstTasks } from '../domain/lists/list.js';
import { overview } from '../domain/overview.js';
import { listProjects } from '../domain/projects.js';
import { definePrompt, sectionsOf } from '../prompt.js';

export default definePrompt({
  name: 'weekly_review',
  title: 'Weekly review',
  description: 'Look back at what was done in the last 7 days, and ahead at the next 7.',
  args: {},
  run: async (_args, tx, { now }) => {
    const firstDay = today({ now, timezone: tx.timezone }).subtract({ days: 6 }).toString(); // of seven with today
    const [all, done, late, doing, ahead, projects] = await Promise.all([
      overview(tx, now),
      firstTasks(tx, { status: 'completed', completed_since: firstDay }, { now }),
      firstTasks(tx, { due: 'overdue' }, { now }),
      firstTasks(tx, { status: 'in_progress' }, { now }),
      firstTasks(tx, { due: 'week' }, { now }),
      listProjects(tx),
    ]);
    return { all, done, late, doing, ahead, projects };
  },
  message: ({ all, done, late, doing, ahead, projects }, context) => {
    const section = sectionsOf(context);
    return {
      ask: 'Guide me through my weekly review with the data below. First sum up in a few sentences what I got done in the last 7 days, by project. Then point out what needs a decision: what is overdue, what is in progress and should be finished or put back, and overloaded days in the coming week. For each propose one thing: do it, move it to a day, split it, or drop it; name tasks by their numbers (#12). Last, suggest three priorities for the week. Ask me one question at a time, and change nothing before I agree; then use update_task and complete_task.',
      data: [
        { what: overviewAnswer({ ...all, overdue: [], today: [], claimed: [] }, context) },
        { title: 'Completed in the last 7 days', what: pageAnswer(done, context, { least: 'compact', dated: false }) },
        ...section('Overdue', late),
        ...section('In progress', doing),
        ...section('Due in the 7 days from today', ahead),
        { title: 'My projects', what: projectsAnswer(projects) },
      ],
    };
  },
});
