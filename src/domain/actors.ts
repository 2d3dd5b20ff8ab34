import { type SQL, sql } from 'drizzle-orm';
import type { Actor } from '../db/schema.js';
import { nameKey } from './names.js';

/** Returns the short name of an actor: agent, else client, else transport (`stdio` or `http`). */
export const nameOf = (actor: Actor): string => actor.agent ?? actor.client ?? actor.via;
/** The same as an SQL expression. */
export const nameInSql = (actor: SQL): SQL =>
  sql`coalesce(${actor} ->> 'agent', ${actor} ->> 'client', ${actor} ->> 'via')`;

/** Returns the client, else its transport, whatever name its agent gave. */
export const clientOf = (actor: Actor): string => actor.client ?? actor.via;
/** The same as an SQL expression. */
export const clientInSql = (actor: SQL): SQL => sql`coalesce(${actor} ->> 'client', ${actor} ->> 'via')`;

/** Those with a name, however it is written, or all agents of a client. */
export type Actors = string | { client: string };

/** Returns whom a client means by a name: by `me`, all of its agents. */
export const actorsCalled = (name: string | undefined, client: string): Actors | undefined =>
  name !== undefined && nameKey(name) === 'me' ? { client } : name;
