import type { Tool } from '../tool.js';
import addTask from './add-task.js';
import completeTask from './complete-task.js';
import deleteTask from './delete-task.js';
import getOverview from './get-overview.js';
import getTask from './get-task.js';
import listProjects from './list-projects.js';
import listTasks from './list-tasks.js';
import updateTask from './update-task.js';

/** Every tool, in the order a model reads them. */
export const tools: readonly Tool[] = [
  addTask,
  listTasks,
  getTask,
  updateTask,
  completeTask,
  deleteTask,
  listProjects,
  getOverview,
];
