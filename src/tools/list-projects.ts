import { listProjects } from '../domain/projects.js';
import { projectsAnswer } from '../shapes.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'list_projects',
  title: 'List projects',
  effect: 'read',
  description: 'The user’s projects and how many open tasks each has.',
  input: {},
  output: ['projects'],
  run: (_args, tx) => listProjects(tx),
  answer: projectsAnswer,
});
