import { projectAnswer } from '../answers/writes.js';
import { updateProject } from '../domain/update-project.js';
import { flag, name } from '../fields.js';
import { defineTool } from '../tool.js';

export default defineTool({
  name: 'update_project',
  title: 'Update project',
  effect: 'update',
  description: 'Rename a project, archive it or bring it back, or merge it into another, which takes its tasks.',
  input: {
    project: name(),
    name: name().describe('its new name').optional(),
    archived: flag().optional(),
    merge_into: name().optional(),
  },
  output: ['project', 'moved', 'note'],
  run: ({ project, ...patch }) => updateProject(project, patch),
  answer: projectAnswer,
});
