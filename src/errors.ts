/** The kind of a refusal. Unexpected errors are `internal` and carry no details. */
export type RefusalCode =
  | 'not_found'
  | 'invalid'
  | 'conflict'
  | 'forbidden'
  | 'rate_limited'
  | 'unavailable'
  | 'internal';

/** Maximum number of candidates of a refusal that an answer lists. */
export const MAX_CANDIDATES = 20;

/** A task or project that the caller may have meant. */
export interface Candidate {
  id?: number;
  title?: string;
  name?: string;
}

/**
 * A field on which a write conflicts: its value in the caller's version, the current one, and the one requested, unless
 * the caller changes only a field that belongs with it.
 */
export interface Clash {
  field: string;
  base?: unknown;
  theirs: unknown;
  yours?: unknown;
}

/** A refusal as an agent sees it: what happened, and in `hint` what to do next. */
export interface RefusalBody {
  code: RefusalCode;
  message: string;
  hint?: string;
  candidates?: Candidate[];
  conflict?: Clash[];
}

/** May be thrown anywhere below the server: rolls back the transaction and becomes an `isError` answer. */
export class Refusal extends Error {
  constructor(readonly body: RefusalBody) {
    super(body.message);
    this.name = 'Refusal';
  }
}

/** Truncates a text to what a message quotes of it: 40 characters, none of them half a surrogate pair. */
export const truncateForMessage = (text: string): string =>
  [...text.slice(0, 100)].slice(0, 40).join('').toWellFormed();

/** Formats a call for a hint: `get_task {"ids":[12]}`. */
export const sayCall = (tool: string, args: Record<string, unknown>): string => `${tool} ${JSON.stringify(args)}`;

/** Returns the refusal in an error's chain of causes: Drizzle wraps errors thrown while a query runs. */
export function refusalIn(error: unknown): Refusal | undefined {
  return causes(error).find((each) => each instanceof Refusal);
}

/** Returns an error with its causes, outermost first. Libraries wrap errors, some of them more than once. */
export function causes(error: unknown): Error[] {
  const all: Error[] = [];
  for (let each = error; each instanceof Error && !all.includes(each); each = each.cause) all.push(each);
  return all;
}

const refusalFactory =
  (code: RefusalCode) =>
  (message: string, hint?: string, candidates?: Candidate[]): Refusal =>
    new Refusal({ code, message, ...(hint && { hint }), ...(candidates?.length && { candidates }) });

export const notFound = refusalFactory('not_found');
export const invalid = refusalFactory('invalid');
export const conflict = refusalFactory('conflict');
export const forbidden = refusalFactory('forbidden');
export const rateLimited = refusalFactory('rate_limited');
export const unavailable = refusalFactory('unavailable');
export const internal = refusalFactory('internal');

/**
 * A mistake in the configuration or on the command line: printed as one line, exit code 2. The message may reach a
 * client; `where` holds a path or address that must not.
 */
export class UsageError extends Error {
  constructor(
    message: string,
    readonly where?: string,
  ) {
    super(message);
    this.name = 'UsageError';
  }

  /** Returns the line to print. */
  toLine(): string {
    return `taskloom: ${this.message}${this.where ? `: ${this.where}` : ''}`;
  }
}

/** Another process holds the data directory and cannot be reached. */
export class DirectoryInUse extends UsageError {
  constructor(
    readonly pid: number | undefined,
    readonly since?: string,
  ) {
    super(
      `the tasks are in use by another Taskloom process${pid ? ` (pid ${pid}${since ? `, since ${since}` : ''})` : ''}: end that one first`,
    );
  }
}

/** Another process holds the data directory but does not respond: it is stopped or stuck. */
export class OwnerSilent extends UsageError {
  constructor(readonly pid: number) {
    super(`the process that keeps the tasks (pid ${pid}) does not answer: it is stopped or stuck`);
  }
}

/** Says that a request is refused because its answer could not be told from that of another. */
export const reusedId = (id: string | number): string =>
  `The request id ${JSON.stringify(id)} is that of another request, which is not answered yet. Use a new id.`;

/** Hint for a call whose answer was lost, so that its outcome is unknown. */
export const MAY_HAVE_HAPPENED =
  'A write may have succeeded. Repeat it with the same request_id; it will not be applied twice.';

/** Hint for what only a person can fix. */
export const TELL_OPERATOR = 'Tell whoever set up this server.';

/** Returns the refusal for a mistake in how the task database is set up. */
export const unusableDatabase = (mistake: string): Refusal =>
  unavailable(`The task database cannot be used: ${mistake}.`, TELL_OPERATOR);

/** Returns the refusal for a problem that a person must fix before the data can be used. */
export function setupRefusal(error: UsageError): Refusal {
  if (error instanceof OwnerSilent)
    return unavailable(
      sentence(error.message),
      `Continue or end process ${error.pid}, then try again. ${MAY_HAVE_HAPPENED}`,
    );
  if (error instanceof DirectoryInUse)
    return unavailable(sentence(error.message), 'Close that one, or use it instead of this one.');
  return unusableDatabase(error.message);
}

const sentence = (text: string) => `${text[0]?.toUpperCase()}${text.slice(1)}.`;

/** Describes why files could not be written. */
export function whyNotWritten(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? 'the disk is full'
    : `cannot write to the data directory (${code}). Make it writable for this account, or set TASKLOOM_HOME to another directory`;
}
