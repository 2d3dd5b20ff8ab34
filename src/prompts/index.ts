import type { Prompt } from '../prompt.js';
import breakDown from './break-down.js';
import planMyDay from './plan-my-day.js';
import triageInbox from './triage-inbox.js';
import weeklyReview from './weekly-review.js';

/** Every prompt, in the order a person reads them. */
export const prompts: readonly Prompt[] = [planMyDay, weeklyReview, triageInbox, breakDown];
