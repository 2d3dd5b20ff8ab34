import { afterAll } from 'vitest';
import { cleanUp } from '../support/process.js';

// Here rather than in process.ts, which the test files of one worker share.
afterAll(cleanUp);
