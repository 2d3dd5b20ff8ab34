import { type SQL, sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  customType,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  pgPolicy,
  pgRole,
  pgSchema,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

/**
 * The PostgreSQL schema of all objects, so that the tables can share a database with others. Hot columns have
 * types with leakproof operators (text with CHECK, smallint, timestamptz): under row-level security, no other operator
 * can use an index.
 */
export const taskloom = pgSchema('taskloom');

/** The role that all user transactions run as. Created by the first migration; never the tables' owner. */
export const appRole = pgRole('taskloom_app').existing();

const currentUser = sql`(select nullif(current_setting('app.user_id', true), '')::uuid)`;

const ownedBy = (name: string, column = sql`user_id`) =>
  pgPolicy(name, {
    as: 'permissive',
    for: 'all',
    to: appRole,
    using: sql`${column} = ${currentUser}`,
    withCheck: sql`${column} = ${currentUser}`,
  });

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });

/** Text sorted by its bytes, so that the order is the same on every server. */
const bytewise = customType<{ data: string }>({ dataType: () => 'text collate "C"' });

/** Search vector. The database generates it; queries only match against it. */
const words = customType<{ data: string }>({ dataType: () => 'tsvector' });

export const users = taskloom.table(
  'users',
  {
    id: uuid('id').primaryKey(),
    handle: text('handle').notNull(),
    name: text('name'),
    timezone: text('timezone').notNull(),
    createdAt: instant('created_at').notNull().default(sql`now()`),
    disabledAt: instant('disabled_at'),
  },
  (t) => [uniqueIndex('users_handle').on(t.handle), ownedBy('users_owner', sql`id`)],
);

export const apiTokens = taskloom.table(
  'api_tokens',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    id: uuid('id').notNull(),
    /** SHA-256 of the token, hex. The token itself is shown once and never stored. */
    hash: text('hash').notNull(),
    name: text('name').notNull(),
    /** Space-separated OAuth scopes. */
    scopes: text('scopes').notNull(),
    createdAt: instant('created_at').notNull().default(sql`now()`),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
    lastUsedAt: instant('last_used_at'),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.id] }),
    uniqueIndex('api_tokens_hash').on(t.hash),
    ownedBy('api_tokens_owner'),
  ],
);

/** One row per user: the next numbers. The row is also that user's write lock. */
export const counters = taskloom.table(
  'counters',
  {
    userId: uuid('user_id')
      .primaryKey()
      .references(() => users.id),
    nextTask: integer('next_task').notNull().default(1),
    nextProject: integer('next_project').notNull().default(1),
    nextComment: integer('next_comment').notNull().default(1),
    /** The last change sequence number assigned. */
    changeSeq: bigint('change_seq', { mode: 'number' }).notNull().default(0),
    /** Sequence number of the oldest change that is kept. */
    changesFrom: bigint('changes_from', { mode: 'number' }).notNull().default(1),
    /** When old requests, trash and history were last purged; set 59 minutes earlier if more is left. */
    tidiedAt: instant('tidied_at').notNull().default(sql`now()`),
  },
  () => [ownedBy('counters_owner')],
);

export const projects = taskloom.table(
  'projects',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    id: integer('id').notNull(),
    name: text('name').notNull(),
    /** Normalized name, for comparison: see `nameKey`. Null once the project was merged or deleted. */
    nameKey: text('name_key'),
    archivedAt: instant('archived_at'),
    /** The project that took over its tasks. */
    mergedInto: integer('merged_into'),
    /** Set when the write that created it was undone. */
    deletedAt: instant('deleted_at'),
    version: integer('version').notNull().default(1),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.id] }),
    foreignKey({ name: 'projects_merged_fk', columns: [t.userId, t.mergedInto], foreignColumns: [t.userId, t.id] }),
    check(
      'projects_name_key',
      sql`(${t.nameKey} is null) = (${t.mergedInto} is not null or ${t.deletedAt} is not null)`,
    ),
    // Deferrable in the migration: one write may swap the names of two projects.
    unique('projects_name').on(t.userId, t.nameKey),
    ownedBy('projects_owner'),
  ],
);

/** Not completed, not cancelled, not in the trash. Queries must use this text, as the indexes do. */
export const isOpen = (t: { status: unknown; deletedAt: unknown }): SQL =>
  sql`${t.status} in ('pending', 'in_progress') and ${t.deletedAt} is null`;
/** The same of the rows of `tasks` under an alias. */
export const isOpenAs = (alias: string): SQL =>
  isOpen({ status: sql.raw(`${alias}.status`), deletedAt: sql.raw(`${alias}.deleted_at`) });

/** No open blocker or sub-task. `start_sort` tells whether it has started, `claimed_until` whether it is claimed. */
export const isUnblocked = (t: { openBlockers: unknown; openSubtasks: unknown }): SQL =>
  sql`${t.openBlockers} = 0 and ${t.openSubtasks} = 0`;

export const tasks = taskloom.table(
  'tasks',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    /** Numbered per user, never reused: "#12". */
    id: integer('id').notNull(),
    title: text('title').notNull(),
    /** Normalized title, for comparison: see `titleKey`. */
    titleKey: text('title_key').notNull(),
    description: text('description'),
    status: text('status', { enum: ['pending', 'in_progress', 'completed', 'cancelled'] }).notNull(),
    /** 1 urgent, 2 high, 3 medium, 4 low, 5 none. */
    priority: smallint('priority').notNull(),
    dueDate: date('due_date', { mode: 'string' }),
    dueAt: instant('due_at'),
    /** `due_at`, or the last millisecond of `due_date` in the user's zone, or infinity. */
    dueSort: timestamp('due_sort', { withTimezone: true, mode: 'string' }).notNull(),
    startDate: date('start_date', { mode: 'string' }),
    startAt: instant('start_at'),
    /** `start_at`, or the first instant of `start_date` in the user's zone, or -infinity. */
    startSort: timestamp('start_sort', { withTimezone: true, mode: 'string' }).notNull().default('-infinity'),
    repeats: jsonb('repeats').$type<Repeat>(),
    estimateMinutes: integer('estimate_minutes'),
    projectId: integer('project_id'),
    parentId: integer('parent_id'),
    /** Id of its series' first task, which may be purged. Null unless closing the previous task created this one. */
    series: integer('series'),
    /** Fractional index: the place in the manual order. */
    rank: bytewise('rank').notNull(),
    /** How many of its blockers and of its sub-tasks are open. Maintained by every write that changes one of them. */
    openBlockers: integer('open_blockers').notNull().default(0),
    openSubtasks: integer('open_subtasks').notNull().default(0),
    /** Holder of the claim, as it names itself, and the claim's end. Both outlast expiry; a release resets them. */
    claimedBy: text('claimed_by'),
    claimedUntil: timestamp('claimed_until', { withTimezone: true, mode: 'string' }).notNull().default('-infinity'),
    /** Number of its last claim: the sequence number of that change, so that a later claim has a greater one. */
    claim: bigint('claim', { mode: 'number' }),
    /** Message from the holder who last released it, to the next one. */
    note: text('note'),
    version: integer('version').notNull(),
    createdAt: instant('created_at').notNull(),
    createdBy: text('created_by').notNull(),
    updatedAt: instant('updated_at').notNull(),
    updatedBy: text('updated_by').notNull(),
    completedAt: instant('completed_at'),
    deletedAt: instant('deleted_at'),
    words: words('words').generatedAlwaysAs(sql`taskloom.task_words(title, description)`),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.id] }),
    foreignKey({
      name: 'tasks_project_fk',
      columns: [t.userId, t.projectId],
      foreignColumns: [projects.userId, projects.id],
    }),
    foreignKey({ name: 'tasks_parent_fk', columns: [t.userId, t.parentId], foreignColumns: [t.userId, t.id] }),
    check('tasks_title_length', sql`char_length(${t.title}) between 1 and 200`),
    check('tasks_description_length', sql`char_length(${t.description}) <= 10000`),
    check('tasks_status', sql`${t.status} in ('pending', 'in_progress', 'completed', 'cancelled')`),
    check('tasks_priority', sql`${t.priority} between 1 and 5`),
    check('tasks_due', sql`${t.dueDate} is null or ${t.dueAt} is null`),
    check('tasks_start', sql`${t.startDate} is null or ${t.startAt} is null`),
    check('tasks_parent', sql`${t.parentId} <> ${t.id}`),
    check('tasks_claim', sql`(${t.claimedBy} is null) = (${t.claimedUntil} = '-infinity')`),
    check('tasks_claim_number', sql`${t.claimedBy} is null or ${t.claim} is not null`),
    check('tasks_note_length', sql`char_length(${t.note}) <= 2000`),
    // With `project_id`, which decides whether a task is shown, so that counting what a list finds reads no rows.
    index('tasks_open_newest').on(t.userId, t.id, t.projectId).where(isOpen(t)),
    index('tasks_open_due').on(t.userId, t.dueSort, t.id, t.projectId).where(isOpen(t)),
    index('tasks_open_priority').on(t.userId, t.priority, t.dueSort, t.id, t.projectId).where(isOpen(t)),
    index('tasks_open_manual').on(t.userId, t.rank, t.id, t.projectId).where(isOpen(t)),
    index('tasks_ready')
      .on(t.userId, t.priority, t.dueSort, t.id, t.startSort, t.claimedUntil, t.projectId, t.parentId)
      .where(sql`${isOpen(t)} and ${isUnblocked(t)}`),
    index('tasks_open_project').on(t.userId, t.projectId, t.id).where(isOpen(t)),
    index('tasks_open_project_due').on(t.userId, t.projectId, t.dueSort, t.id).where(isOpen(t)),
    index('tasks_begun').on(t.userId, t.id).where(sql`${t.status} = 'in_progress' and ${t.deletedAt} is null`),
    index('tasks_blocked')
      .on(t.userId, t.id)
      .where(sql`${isOpen(t)} and ${t.openBlockers} > 0`),
    index('tasks_series')
      .on(t.userId, t.series)
      .where(sql`${t.series} is not null and ${isOpen(t)}`),
    index('tasks_cancelled').on(t.userId, t.id).where(sql`${t.status} = 'cancelled' and ${t.deletedAt} is null`),
    index('tasks_claimed').on(t.userId, t.claimedUntil, t.id).where(sql`${t.claimedBy} is not null`),
    index('tasks_completed').on(t.userId, t.completedAt, t.id).where(sql`${t.completedAt} is not null`),
    index('tasks_deleted').on(t.userId, t.deletedAt, t.id).where(sql`${t.deletedAt} is not null`),
    // With the columns of `isOpen`, so that counting a project's open tasks reads no rows.
    index('tasks_project').on(t.userId, t.projectId, t.id, t.status, t.deletedAt),
    index('tasks_parent').on(t.userId, t.parentId, t.id),
    index('tasks_title').on(t.userId, t.titleKey, t.id),
    index('tasks_words').using('gin', t.userId, t.words).with({ fastupdate: false }),
    index('tasks_near').using('gin', t.userId, t.titleKey.op('gin_trgm_ops')).with({ fastupdate: false }),
    ownedBy('tasks_owner'),
  ],
);

export const taskLabels = taskloom.table(
  'task_labels',
  {
    userId: uuid('user_id').notNull(),
    taskId: integer('task_id').notNull(),
    labelKey: text('label_key').notNull(),
    label: text('label').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.taskId, t.labelKey] }),
    foreignKey({
      name: 'task_labels_task_fk',
      columns: [t.userId, t.taskId],
      foreignColumns: [tasks.userId, tasks.id],
    }),
    index('task_labels_label').on(t.userId, t.labelKey, t.taskId),
    ownedBy('task_labels_owner'),
  ],
);

/** The blocked task waits for the blocker. Dependencies never form a cycle. */
export const dependencies = taskloom.table(
  'dependencies',
  {
    userId: uuid('user_id').notNull(),
    blockedId: integer('blocked_id').notNull(),
    blockerId: integer('blocker_id').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.blockedId, t.blockerId] }),
    foreignKey({
      name: 'dependencies_blocked_fk',
      columns: [t.userId, t.blockedId],
      foreignColumns: [tasks.userId, tasks.id],
    }),
    foreignKey({
      name: 'dependencies_blocker_fk',
      columns: [t.userId, t.blockerId],
      foreignColumns: [tasks.userId, tasks.id],
    }),
    check('dependencies_apart', sql`${t.blockedId} <> ${t.blockerId}`),
    index('dependencies_blocker').on(t.userId, t.blockerId, t.blockedId),
    ownedBy('dependencies_owner'),
  ],
);

export const comments = taskloom.table(
  'comments',
  {
    userId: uuid('user_id').notNull(),
    /** Numbered per user. */
    id: integer('id').notNull(),
    taskId: integer('task_id').notNull(),
    text: text('text').notNull(),
    at: instant('at').notNull(),
    by: text('by').notNull(),
    words: words('words').generatedAlwaysAs(sql`taskloom.words(text)`),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.id] }),
    foreignKey({
      name: 'comments_task_fk',
      columns: [t.userId, t.taskId],
      foreignColumns: [tasks.userId, tasks.id],
    }),
    check('comments_text_length', sql`char_length(${t.text}) between 1 and 10000`),
    index('comments_task').on(t.userId, t.taskId, t.id),
    index('comments_words').using('gin', t.userId, t.words).with({ fastupdate: false }),
    ownedBy('comments_owner'),
  ],
);

/** Kinds of changes to a task or project. */
export const OPERATIONS = [
  'create',
  'update',
  'complete',
  'delete',
  'restore',
  'comment',
  'claim',
  'release',
  'archive',
  'merge',
] as const;

/** Append-only: one row per task or project that a write changes. History, undo and the change cursor read it. */
export const changes = taskloom.table(
  'changes',
  {
    userId: uuid('user_id').notNull(),
    /** Gapless per user and, because of the write lock, in commit order. */
    seq: bigint('seq', { mode: 'number' }).notNull(),
    /** The first `seq` of its write: the undo handle is `u<batch>`. */
    batch: bigint('batch', { mode: 'number' }).notNull(),
    /** Random id of the call, to find out whether a COMMIT whose answer was lost took effect. */
    call: uuid('call').notNull(),
    /** The batch this one reverts, if it is an undo. */
    reverts: bigint('reverts', { mode: 'number' }),
    at: instant('at').notNull(),
    actor: jsonb('actor').$type<Actor>().notNull(),
    entity: text('entity', { enum: ['task', 'project'] }).notNull(),
    /** No foreign key: history outlives its subject. */
    entityId: integer('entity_id').notNull(),
    version: integer('version').notNull(),
    op: text('op', { enum: OPERATIONS }).notNull(),
    /** The changed fields, with their values before and after. */
    before: jsonb('before').$type<Record<string, unknown>>().notNull(),
    after: jsonb('after').$type<Record<string, unknown>>().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.seq] }),
    index('changes_entity').on(t.userId, t.entity, t.entityId, t.seq),
    index('changes_reverts').on(t.userId, t.reverts).where(sql`${t.reverts} is not null`),
    index('changes_at').on(t.userId, t.at, t.entityId),
    ownedBy('changes_owner'),
  ],
);

/** Answers of writes with an idempotency key, kept a day (relayed ones an hour): a retry gets the stored answer. */
export const requests = taskloom.table(
  'requests',
  {
    userId: uuid('user_id').notNull(),
    /** SHA-256 of the id's source (`client`, `meta` or `relay`) and the id, hex. */
    key: text('key').notNull(),
    /** SHA-256 of the tool and its arguments, hex. */
    fingerprint: text('fingerprint').notNull(),
    answer: jsonb('answer').$type<Record<string, unknown>>().notNull(),
    at: instant('at').notNull(),
    /** Whether our relay assigned the id, not the client. */
    relayed: boolean('relayed').notNull().default(false),
  },
  (t) => [primaryKey({ columns: [t.userId, t.key] }), ownedBy('requests_owner')],
);

/** Keys of the installation. The runtime role has no access. */
export const secrets = taskloom.table('secrets', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
});

/** How a task repeats. Days and times are in the user's zone: 09:00 stays 09:00 when the clocks change. */
export interface Repeat {
  /** RFC 5545 rule with explicit days: `FREQ=WEEKLY;INTERVAL=2;BYDAY=TU`. `UNTIL` is a date, inclusive. */
  rule: string;
  /** Whether the next occurrence is counted from the due date, or from the day this one is completed. */
  from: 'due' | 'completion';
  /** Start of the rule: `2026-11-24` or `2026-11-24T09:00`. The first of `COUNT`, even if the rule excludes it. */
  anchor: string;
  /** The occurrence that this task stands for, or a day since the one before; its due date differs if it was rescheduled. */
  occurrence: string;
}

/** Who made a change. Recorded, never trusted. */
export interface Actor {
  via: 'stdio' | 'http';
  token?: string;
  client?: string;
  /** The caller's name for itself. */
  agent?: string;
}
