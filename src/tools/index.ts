import type { Tool } from '../tool.js';
import addComment from './add-comment.js';
import addTask from './add-task.js';
import addTasks from './add-tasks.js';
import claimTask from './claim-task.js';
import completeTask from './complete-task.js';
import deleteTask from './delete-task.js';
import getOverview from './get-overview.js';
import getTask from './get-task.js';
import listProjects from './list-projects.js';
import listTasks from './list-tasks.js';
import releaseTask from './release-task.js';
import undo from './undo.js';
import updateProject from './update-project.js';
import updateTask from './update-task.js';
import whatChanged from './what-changed.js';

/** Every tool, in the order a model reads them. */
export const tools: readonly Tool[] = [
  addTask,
  addTasks,
  listTasks,
  getTask,
  updateTask,
  completeTask,
  deleteTask,
  undo,
  claimTask,
  releaseTask,
  addComment,
  listProjects,
  updateProject,
  whatChanged,
  getOverview,
];
