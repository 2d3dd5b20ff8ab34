import envPaths from 'env-paths';
import type { Build } from './owner/handshake.js';

/** What `main.ts` alone knows of the program and the machine it runs on. */
export interface Program {
  build: Build;
  /** The folder of migrations. */
  migrations: URL;
  clock(): Date;
  /** The command that starts this program, to which arguments are added. */
  start: [program: string, ...args: string[]];
  environment: Readonly<Partial<Record<string, string>>>;
  /** Whether that command may be run: not where the program runs inside another. */
  mayStart: boolean;
  /** The directory it was started in. */
  cwd: string;
  print(text: string): void;
  complain(text: string): void;
  /** Resolves when the process is asked to stop; until it is called, a signal ends the process as it always does. */
  untilStopped(): Promise<void>;
}

/** The argument with which a process starts the one that keeps the embedded database in the background. */
export const OWN = 'own';

/** The platform's directories for what is kept, and for what can be made again. */
export const paths = envPaths('taskloom', { suffix: '' });
