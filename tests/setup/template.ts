import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { migrate, readMigrations } from '../../src/db/migrate.js';
import { openPostgres } from '../../src/db/postgres.js';
import { ensureBuilt } from './dist.js';
import { type PostgresServer, type Release, startPostgres } from './postgres.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** PostgreSQL and Neon: the release of the server, for tests that start one of their own. */
    release: Release;
  }
}

/** The migrated, empty database of which every test file gets a copy. */
export const TEMPLATE = 'template_taskloom';

/** A login like those of hosting providers: it may create roles and databases, and row-level security applies to it. */
const HOSTED = { name: 'hosted', password: 'hosted' };

/**
 * Starts the server of a project, with a template to copy databases from.
 *
 * @param login the owner of the databases
 */
export async function startProject(
  project: TestProject,
  release: Release,
  login: 'superuser' | 'hosted',
): Promise<PostgresServer> {
  ensureBuilt();
  const server = await startPostgres(release);
  try {
    const url = (database: string) => server.url(database, login === 'hosted' ? HOSTED : undefined);
    if (login === 'hosted')
      await run(
        server.url('postgres'),
        `create role ${HOSTED.name} login createdb createrole password '${HOSTED.password}'`,
      );
    await run(url('postgres'), `create database ${TEMPLATE}`);
    const database = openPostgres(url(TEMPLATE));
    await migrate(database, readMigrations(new URL('../../migrations/', import.meta.url)));
    await database.close();
    // A database with open connections cannot be copied.
    await run(url('postgres'), `alter database ${TEMPLATE} allow_connections false`);
    project.provide('release', release);
    project.provide('source', url('postgres'));
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** Runs a script on a new connection. Its statements are one transaction unless it contains transaction commands. */
export async function run(url: string, script: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(script);
  } finally {
    await client.end();
  }
}
