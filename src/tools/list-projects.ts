import { projectsAnswer } from '../answers/reads.js';
import { listProjects } from '../domain/projects.js';
import { flag } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'list_projects',
  title: 'List projects',
  effect: 'read',
  description: 'The user’s projects and how many open tasks each has.',
  input: {
    archived: flag().describe('list archived projects instead').optional(),
    completed: flag().describe('count completed tasks too').optional(),
  },
  output: ['projects'],
  run: (args, tx) => listProjects(tx, args),
  answer: projectsAnswer,
});
