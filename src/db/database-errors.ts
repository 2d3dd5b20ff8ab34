import { causes } from '../errors.js';

/** The SQLSTATEs that Taskloom tells apart, by their condition names (PostgreSQL, appendix A). */
export const SQLSTATE = {
  featureNotSupported: '0A000',
  uniqueViolation: '23505',
  readOnlySqlTransaction: '25006',
  idleInTransactionSessionTimeout: '25P03',
  transactionTimeout: '25P04',
  invalidSqlStatementName: '26000',
  invalidAuthorizationSpecification: '28000',
  invalidCatalogName: '3D000',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  insufficientPrivilege: '42501',
  duplicatePreparedStatement: '42P05',
  diskFull: '53100',
  tooManyConnections: '53300',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  undefinedFile: '58P01',
} as const;

/** What the SQLSTATEs of one kind begin with. */
const PREFIX = { connectionException: '08', invalidAuthorization: '28', shutdown: '57P' } as const;

/**
 * After these a connection is of no more use: the server has become read-only (after a failover), has ended the session
 * for its idle or transaction time, or has no room for it.
 */
const UNUSABLE: string[] = [
  SQLSTATE.readOnlySqlTransaction,
  SQLSTATE.idleInTransactionSessionTimeout,
  SQLSTATE.transactionTimeout,
  SQLSTATE.tooManyConnections,
];

const CONTENTION: string[] = [
  SQLSTATE.lockNotAvailable,
  SQLSTATE.queryCanceled,
  SQLSTATE.serializationFailure,
  SQLSTATE.deadlockDetected,
];

/** The database cannot be reached, or the connection to it broke. */
export class Unreachable extends Error {
  constructor(cause?: unknown) {
    super('database unreachable', { cause });
  }
}

/** Too many callers already wait for a connection. */
export class Busy extends Unreachable {}

/** The connection broke during a COMMIT: the transaction may or may not have been committed. */
export class CommitUnknown extends Unreachable {}

/** Returns the SQLSTATE of a database error, however deeply libraries wrapped it. */
export function sqlState(error: unknown): string | undefined {
  for (const each of causes(error)) {
    const { code } = each as { code?: unknown };
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code)) return code;
  }
  return undefined;
}

/** Whether an error means that the database is down, starting, stopping or out of connections, or the link broke. */
export function isUnreachable(error: unknown): boolean {
  const state = sqlState(error) ?? '';
  return (
    causes(error).some((each) => each instanceof Unreachable) ||
    state.startsWith(PREFIX.connectionException) ||
    state.startsWith(PREFIX.shutdown) ||
    UNUSABLE.includes(state)
  );
}

/** Whether an error means that the plan of a prepared statement is outdated, after a migration. */
export const isOutdatedPlan = (error: unknown): boolean => sqlState(error) === SQLSTATE.featureNotSupported;

/**
 * Whether an error means that a prepared statement is missing or already exists (behind a pooler that gives each
 * transaction another connection), or that its plan is outdated (after a migration). The transaction had no effect.
 */
export function isStaleStatement(error: unknown): boolean {
  const state = sqlState(error);
  return (
    isOutdatedPlan(error) || state === SQLSTATE.invalidSqlStatementName || state === SQLSTATE.duplicatePreparedStatement
  );
}

/** Whether an error means overload or contention: too many callers, a lock or statement timeout, a deadlock. */
export function isBusy(error: unknown): boolean {
  return causes(error).some((each) => each instanceof Busy) || CONTENTION.includes(sqlState(error) ?? '');
}

/** Returns what the person who set up the server must fix, if an error means that; otherwise undefined. */
export function setupMistake(error: unknown): string | undefined {
  const state = sqlState(error);
  if (state === SQLSTATE.invalidAuthorizationSpecification && /no encryption|SSL off/.test((error as Error).message))
    return 'its server refused a connection without TLS: add sslmode=verify-full to its address';
  if (state?.startsWith(PREFIX.invalidAuthorization)) return 'it refused the user name or password';
  if (state === SQLSTATE.invalidCatalogName) return 'its server has no database of that name';
  return tlsMistake(error);
}

/** Returns why a TLS connection could not be established, and what to do; undefined for other errors. */
function tlsMistake(error: unknown): string | undefined {
  for (const each of causes(error)) {
    const code = String((each as NodeJS.ErrnoException).code);
    if (each.message === 'The server does not support SSL connections')
      return 'its server does not offer TLS, which the sslmode in its address requires. Enable TLS there; use sslmode=disable only on a network that you trust';
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
      return 'the certificate of its server is for another host name: use a host name that the certificate has';
    if (/CERT|^UNABLE_TO_|^INVALID_(CA|PURPOSE)$/.test(code))
      return `the certificate of its server is not trusted (${code}). Add sslrootcert=/path/to/ca.pem to its address, with the certificate of the authority that issued it`;
    if (/^ERR_(SSL|OSSL)_|^EPROTO$/.test(code)) return `no TLS connection to its server could be made (${code})`;
  }
  return undefined;
}
