import envPaths from 'env-paths';
import type { Build } from './owner/handshake.js';

/** The program and its environment, as only `main.ts` knows them. */
export interface Program {
  build: Build;
  /** The migrations directory. */
  migrations: URL;
  clock(): Date;
  /** The command that starts this program, to which arguments are added. */
  start: [program: string, ...args: string[]];
  environment: Readonly<Partial<Record<string, string>>>;
  /** Whether `start` may be run: not inside Electron. */
  canSpawn: boolean;
  /** Working directory at start; undefined if it was deleted. */
  cwd: string | undefined;
  /** Reads standard input to its end. */
  readInput(): Promise<string>;
  print(text: string): void;
  complain(text: string): void;
  /** Resolves on a stop signal. Until it is called, signals end the process as usual. */
  untilStopped(): Promise<void>;
}

/** Command-line argument that runs the background owner of the embedded database. */
export const OWNER_COMMAND = 'own';

/** The platform's directories for data, cache and the like. */
export const paths = envPaths('taskloom', { suffix: '' });
