import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import * as z from 'zod/v4';
import { BIDI, CONTROL } from './characters.js';
import type { Target } from './db/connect.js';
import { UsageError } from './errors.js';
import { paths } from './program.js';

export type Environment = Partial<Record<string, string>>;

export interface Config {
  target: Target;
  /** Whether `DATABASE_URL` named the target, which people may set for another program. */
  usesDatabaseUrl: boolean;
  /** On stdio: the Taskloom server to relay requests to. */
  remote?: { url: URL; token: string } | undefined;
  /** WebSocket proxy through which any PostgreSQL is reached with the Neon driver. */
  proxy?: string | undefined;
  user: string;
  readonly timezone: string;
  publicUrl?: URL | undefined;
  allowedHosts: string[];
  /** Number of trusted proxies that append to X-Forwarded-For. */
  proxies: number;
  /** Requests per minute and user over HTTP; 0 for no limit. */
  rateLimit: number;
  secret?: string | undefined;
  historyDays: number;
  idleSeconds: number;
  logLevel: string;
  host: string;
  port: number;
  /** Warnings to print that are not errors. */
  notices: string[];
}

/** A user's handle: typed in shells and shown in lists. */
export const handle = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be 1 to 63 of a-z, 0-9, dot, dash and underscore, in lower case');
/** A display name. Terminals print it, so it must not contain control characters. */
export const displayName = z
  .string()
  .trim()
  .refine(
    (name) => /^\P{Cs}{1,100}$/u.test(name) && !CONTROL.test(name) && !BIDI.test(name),
    'must be 1 to 100 characters on one line, without control characters',
  );
export const timezone = z.string().refine(isTimezone, 'is not a time zone; use a name such as Europe/Paris');
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export const notEmpty = z.string().trim().min(1, 'must not be empty');

export const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a number')
  .transform(Number)
  .refine((number) => number <= 65_535, 'must be at most 65535');

const count = (unit: string, min: number, max: number) =>
  z.coerce
    .number(`must be a number of ${unit}`)
    .int(`must be a whole number of ${unit}`)
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`);

const HOST_NAME = /^([^\s/:*[\]]+|\[[\da-f:.]+\])$/i;

const serverUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

/** All environment variables, each with its description, in which `{default}` stands for its default. */
const schema = z.object({
  TASKLOOM_HOME: z
    .string()
    .refine(isAbsolute, 'must be an absolute path')
    .optional()
    .describe(
      'Directory of the embedded database, an absolute path. Default: the platform’s data directory, such as `~/.local/share/taskloom`, or `~/.taskloom` where that does not exist and cannot be created.',
    ),
  TASKLOOM_DATABASE_URL: z
    .string()
    .optional()
    .describe(
      '`postgres://…` (Neon hosts are reached over WebSocket), or `memory://` for a database that exists only while the process runs. Default: an embedded database in `TASKLOOM_HOME`.',
    ),
  TASKLOOM_URL: serverUrl
    .optional()
    .describe(
      'URL of a Taskloom server, such as `https://tasks.example.org/mcp`: a stdio server then forwards its client’s requests there, and has no database of its own.',
    ),
  TASKLOOM_TOKEN: z.string().optional().describe('Personal access token for `TASKLOOM_URL`.'),
  TASKLOOM_USER: handle
    .default('local')
    .describe(
      'The user whose tasks a stdio server works on. Default: `{default}`. Created automatically only in the embedded database.',
    ),
  TASKLOOM_TZ: timezone
    .optional()
    .describe(
      'Time zone for new accounts that are created without one, such as `Europe/Paris`. Default: the system’s.',
    ),
  TASKLOOM_PUBLIC_URL: serverUrl
    .optional()
    .describe('URL at which clients reach `taskloom serve` behind a proxy: its host is allowed.'),
  TASKLOOM_ALLOWED_HOSTS: z
    .string()
    .refine(
      (hosts) => hosts.split(',').every((host) => HOST_NAME.test(host.trim())),
      'must name each host, separated by commas, without scheme, port or *; IPv6 addresses in brackets',
    )
    .optional()
    .describe('Additional host names that `taskloom serve` accepts requests for, separated by commas.'),
  TASKLOOM_TRUST_PROXY: count('proxies', 0, 10)
    .default(0)
    .describe(
      'Number of your own proxies that every request to `taskloom serve` passes through: client addresses are then taken from what these proxies append to `X-Forwarded-For`. Default: {default}, which ignores that header.',
    ),
  TASKLOOM_RATE_LIMIT: count('requests', 0, 1_000_000)
    .default(12_000)
    .describe(
      'Maximum number of requests per minute that `taskloom serve` accepts from one user, over all of that user’s tokens; 0 for no limit. Default: {default}.',
    ),
  TASKLOOM_SECRET: z
    .string()
    .min(32, 'must have at least 32 characters')
    .optional()
    .describe(
      'Key that signs page cursors, at least 32 characters; must be the same on every replica. Default: generated once and stored in the database.',
    ),
  TASKLOOM_NEON_PROXY: z
    .string()
    .regex(/^[^/\s]+:\d+(\/\S*)?$/, 'must look like localhost:5433/v1')
    .optional()
    .describe(
      '`host:port/path` of a WebSocket proxy through which to reach any PostgreSQL with the Neon driver, for development.',
    ),
  TASKLOOM_HISTORY_DAYS: count('days', 1, 36_500)
    .default(365)
    .describe(
      'Number of days for which history is kept and writes can be undone; must be the same for all processes that use one database. Default: {default}.',
    ),
  TASKLOOM_IDLE_SECONDS: z.coerce
    .number('must be a number of seconds')
    .min(0.1, 'must be at least 0.1')
    .max(86_400, 'must be at most 86400')
    .default(300)
    .describe(
      'Number of seconds without a request after which the background process that owns the embedded database exits; at most a minute while no client is connected. The next request starts another. Default: {default}.',
    ),
  TASKLOOM_LOG_LEVEL: z
    .enum(LEVELS, `must be one of ${LEVELS.join(', ')}`)
    .default('info')
    .describe('`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`, on stderr. Default: `{default}`.'),
  DATABASE_URL: z
    .string()
    .optional()
    .describe('Like `TASKLOOM_DATABASE_URL`, for `serve`, `migrate` and other commands. Ignored on stdio.'),
  HOST: z
    .string()
    .trim()
    .default('127.0.0.1')
    .describe('Address that `taskloom serve` listens on. Default: `{default}`.'),
  PORT: port.default(8080).describe('Port that `taskloom serve` listens on. Default: `{default}`.'),
});

/** The descriptions of all environment variables, by name. The README's table is generated from this. */
export const VARIABLES: Record<string, string> = Object.fromEntries(
  Object.entries(schema.shape).map(([name, variable]) => [
    name,
    String(variable.description).replace('{default}', String(variable.parse(undefined))),
  ]),
);

/**
 * Reads the environment.
 *
 * @param mode on `stdio`, `DATABASE_URL` is ignored: hosts pass on their whole environment, and our tables must not be
 *   created in another project's database
 * @throws UsageError naming the first invalid variable
 */
export function readConfig(environment: Environment, mode: 'stdio' | 'command'): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
  // Unused on stdio, so invalid values must not stop it.
  if (mode === 'stdio') for (const name of ['HOST', 'PORT']) delete given[name];
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UsageError(`${String(issue?.path[0])} ${issue?.message}`);
  }
  const env = parsed.data;
  const notices: string[] = [];
  for (const name of Object.keys(environment))
    if (name.startsWith('TASKLOOM_') && !(name in VARIABLES))
      notices.push(`${name} is unknown and ignored; check its spelling`);
  const url = env.TASKLOOM_DATABASE_URL ?? (mode === 'command' ? env.DATABASE_URL : undefined);
  if (mode === 'stdio' && env.DATABASE_URL && !env.TASKLOOM_DATABASE_URL)
    notices.push('DATABASE_URL is ignored on stdio; set TASKLOOM_DATABASE_URL to use that database');
  if (env.TASKLOOM_URL && mode === 'command')
    throw new UsageError(
      `TASKLOOM_URL names another server (${new URL(env.TASKLOOM_URL).origin}): unset it, or run the command where that server runs`,
    );
  const target = url === undefined ? directoryOf(env.TASKLOOM_HOME) : targetOf(url, env.TASKLOOM_NEON_PROXY);
  if (target.kind === 'directory' && !isAbsolute(target.path) && !env.TASKLOOM_URL)
    throw new UsageError('HOME and XDG_DATA_HOME must be absolute paths; or set TASKLOOM_HOME to one');
  if (env.TASKLOOM_URL && env.TASKLOOM_DATABASE_URL)
    throw new UsageError('TASKLOOM_URL and TASKLOOM_DATABASE_URL are both set: set only one');
  if (env.TASKLOOM_URL && !env.TASKLOOM_TOKEN)
    throw new UsageError('TASKLOOM_TOKEN must be set with TASKLOOM_URL; whoever runs that server can create one');
  return {
    remote: env.TASKLOOM_URL ? { url: new URL(env.TASKLOOM_URL), token: String(env.TASKLOOM_TOKEN) } : undefined,
    target,
    usesDatabaseUrl: url !== undefined && env.TASKLOOM_DATABASE_URL === undefined,
    proxy: env.TASKLOOM_NEON_PROXY,
    user: env.TASKLOOM_USER,
    // Evaluated lazily: finding the system's time zone takes as long as everything else here.
    get timezone() {
      return env.TASKLOOM_TZ ?? systemTimezone();
    },
    publicUrl: env.TASKLOOM_PUBLIC_URL ? new URL(env.TASKLOOM_PUBLIC_URL) : undefined,
    allowedHosts: (env.TASKLOOM_ALLOWED_HOSTS ?? '')
      .split(',')
      .map((host) => host.trim().toLowerCase())
      .filter(Boolean),
    proxies: env.TASKLOOM_TRUST_PROXY,
    rateLimit: env.TASKLOOM_RATE_LIMIT,
    secret: env.TASKLOOM_SECRET,
    historyDays: env.TASKLOOM_HISTORY_DAYS,
    idleSeconds: env.TASKLOOM_IDLE_SECONDS,
    logLevel: env.TASKLOOM_LOG_LEVEL,
    host: env.HOST,
    port: env.PORT,
    notices,
  };
}

const isNeon = (host: string) => /(^|\.)neon\.(tech|build)$/.test(host);

function directoryOf(home: string | undefined): Target {
  if (home) return { kind: 'directory', path: home };
  const fallback = join(homedir(), '.taskloom');
  return { kind: 'directory', path: paths.data, ...(isAbsolute(fallback) && { fallback }) };
}

/**
 * Returns the target that a database URL names.
 *
 * @param source what gave the URL, for messages
 * @throws UsageError if the URL is not valid
 */
export function targetOf(url: string, proxy?: string, source = 'TASKLOOM_DATABASE_URL or DATABASE_URL'): Target {
  if (/^memory:\/*$/.test(url)) return { kind: 'memory' };
  // The message must not repeat the value, which may contain a password.
  const wrong = () =>
    new UsageError(`the address of a database (${source}) must be postgres://user:password@host/database or memory://`);
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) throw wrong();
  const { hostname, searchParams } = new URL(url);
  if (!hostname && !searchParams.has('host')) throw wrong();
  if (searchParams.getAll('port').some((port) => !isPort(port)))
    throw new UsageError('the port in the address of a database must be 1 to 65535');
  const checked = withKnownTlsMode(url, searchParams);
  if (proxy) return { kind: 'neon', url: checked, proxy };
  return { kind: isNeon(hostname) ? 'neon' : 'postgres', url: checked };
}

const isPort = (text: string) => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;

const TLS_MODES = ['disable', 'no-verify', 'prefer', 'require', 'verify-ca', 'verify-full'];

/**
 * Returns a database URL whose `sslmode` is written as the driver applies it: it verifies fully in all modes but
 * `disable` and `no-verify`, and would print a warning of seven lines.
 *
 * @throws UsageError if the mode is unknown: the driver would ignore it
 */
function withKnownTlsMode(url: string, parameters: URLSearchParams): string {
  if (parameters.getAll('sslmode').some((mode) => !TLS_MODES.includes(mode)))
    throw new UsageError(`the sslmode in the address of a database must be one of ${TLS_MODES.join(', ')}`);
  if (parameters.has('uselibpqcompat')) return url;
  return url.replace(/(?<=[?&]sslmode=)(prefer|require|verify-ca)(?=[&#]|$)/g, 'verify-full');
}

/** The three-letter names of IANA. ICU accepts ambiguous others, such as IST, that Temporal refuses. */
const IANA_SHORT = /^(CET|EET|EST|GMT|HST|MET|MST|PRC|ROC|ROK|UCT|UTC|WET)$/i;

/** Returns whether a name is an IANA time zone that this machine knows. */
export function isTimezone(name: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: name });
  } catch {
    return false;
  }
  return name.length === 3 ? IANA_SHORT.test(name) : /^[A-Z]/i.test(name); // `DateTimeFormat` also accepts offsets
}

/** Returns the system's time zone, or UTC if the system reports an invalid one, as some containers do. */
function systemTimezone(): string {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return name && isTimezone(name) ? name : 'UTC';
}
