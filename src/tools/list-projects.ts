import { projectsAnswer } from '../answers/projects.js';
import { listProjects } from '../domain/projects.js';
import { flag } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'list_projects',
  title: 'List projects',
  effect: 'read',
  description: 'The user’s projects, how many open tasks each has, and the labels in use.',
  input: {
    archived: flag().describe('list archived projects instead').optional(),
    completed: flag().describe('count completed tasks too').optional(),
  },
  output: ['projects', 'labels'],
  run: (args, tx) => listProjects(tx, args),
  answer: projectsAnswer,
});
