/** What a refusal is about. Anything unforeseen is `internal` and never carries details. */
export type RefusalCode =
  | 'not_found'
  | 'invalid'
  | 'conflict'
  | 'forbidden'
  | 'rate_limited'
  | 'unavailable'
  | 'internal';

export interface Candidate {
  id?: number;
  title?: string;
  name?: string;
}

/** A field that two sides want differently: as it was, as it is now, and as it was asked to be. */
export interface Clash {
  field: string;
  base?: unknown;
  theirs: unknown;
  yours: unknown;
}

/** A refusal as an agent sees it: what happened, and the next step. */
export interface RefusalBody {
  code: RefusalCode;
  message: string;
  hint?: string;
  candidates?: Candidate[];
  conflict?: Clash[];
}

/** Thrown anywhere below the server; rolls the transaction back and becomes an `isError` answer. */
export class Refusal extends Error {
  constructor(readonly body: RefusalBody) {
    super(body.message);
    this.name = 'Refusal';
  }
}

/** A call, as hints name it: `get_task {"ids":[12]}`. */
export const sayCall = (tool: string, args: Record<string, unknown>): string => `${tool} ${JSON.stringify(args)}`;

/** Drizzle wraps whatever is thrown while a query runs. */
export function refusalIn(error: unknown): Refusal | undefined {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof Refusal) return e;
  return undefined;
}

const maker =
  (code: RefusalCode) =>
  (message: string, hint?: string, candidates?: Candidate[]): Refusal =>
    new Refusal({ code, message, ...(hint && { hint }), ...(candidates?.length && { candidates }) });

export const notFound = maker('not_found');
export const invalid = maker('invalid');
export const conflict = maker('conflict');
export const forbidden = maker('forbidden');
export const rateLimited = maker('rate_limited');
export const unavailable = maker('unavailable');
export const internal = maker('internal');

/**
 * A mistake of configuration or of a command line: one line for a person, and exit code 2. The message may
 * reach a client; what must not (a path, an address) goes into `where`.
 */
export class UsageError extends Error {
  constructor(
    message: string,
    readonly where?: string,
  ) {
    super(message);
    this.name = 'UsageError';
  }
}

/** Another process has the data directory, and cannot be reached. */
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

/** Another process has the data directory, and says nothing: it is stopped, or stuck. */
export class OwnerSilent extends UsageError {
  constructor(readonly pid: number) {
    super(`the process that keeps the tasks (pid ${pid}) does not answer: it is stopped or stuck`);
  }
}

/** For an answer that was not seen, and may be there. */
export const MAY_HAVE_HAPPENED =
  'A write may have happened: repeat it with the same request_id, and it will not happen twice.';

/** What an agent is told where the data cannot be used until a person has done something about it. */
export function unusable(error: UsageError): Refusal {
  if (error instanceof OwnerSilent)
    return unavailable(
      sentence(error.message),
      `Continue or end process ${error.pid}, then try again. ${MAY_HAVE_HAPPENED}`,
    );
  if (error instanceof DirectoryInUse)
    return unavailable(sentence(error.message), 'Close that one, or use it instead of this one.');
  return unavailable(`The task database cannot be used: ${error.message}.`, 'Tell whoever set up this server.');
}

const sentence = (text: string) => `${text[0]?.toUpperCase()}${text.slice(1)}.`;

/** In words, why files could not be written. */
export function whyNotWritten(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? 'the disk is full' : `cannot write to the data directory (${code})`;
}
