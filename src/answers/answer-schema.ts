import * as z from 'zod/v4';

const candidate = z.strictObject({ id: z.int(), title: z.string(), name: z.string() }).partial();
const refusal = {
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  candidates: z.array(candidate).optional(),
  candidates_total: z.int().optional(),
  conflict: z
    .array(
      z.strictObject({ field: z.string(), base: z.json().optional(), theirs: z.json(), yours: z.json().optional() }),
    )
    .optional(),
};
const related = z.strictObject({ id: z.int(), title: z.string(), status: z.string().optional() });
const task = z
  .strictObject({
    status: z.string(),
    version: z.int(),
    description: z.string(),
    priority: z.string(),
    due: z.string(),
    start: z.string(),
    repeats: z.string(),
    next: z.array(z.string()),
    estimate_minutes: z.int(),
    project: z.string(),
    project_archived: z.boolean(),
    labels: z.array(z.string()),
    parent: z.int(),
    open_subtasks: z.int(),
    claimed_by: z.string(),
    claimed_until: z.string(),
    claim: z.int(),
    note: z.string(),
    ref: z.string(),
    what: z.string(),
    subtasks: z.array(related),
    blocked_by: z.array(z.union([z.int(), related])),
    waits_with: z.int(),
    blocks: z.array(related),
    comments: z.array(z.strictObject({ text: z.string(), by: z.string(), at: z.string() })),
    subtasks_total: z.int(),
    blocks_total: z.int(),
    comments_total: z.int(),
    comments_before: z.int(),
    history: z.array(
      z.strictObject({
        what: z.string(),
        fields: z.array(z.string()).optional(),
        by: z.string(),
        at: z.string(),
        undo: z.string().optional(),
      }),
    ),
    created: z.string(),
    created_by: z.string(),
    updated: z.string(),
    completed: z.string(),
    title: z.string(), // absent for a planned task that has a ref
  })
  .partial()
  .extend({ id: z.int() });

const did = z
  .strictObject({ id: z.int(), title: z.string(), project: z.string() })
  .partial()
  .extend({ what: z.string() });
const change = z.strictObject({ by: z.string(), at: z.string(), did: z.array(did) });

/** All fields an answer may have. Database rows are never spread into answers; a field not listed here is not sent. */
const answer = z
  .strictObject({
    task,
    claim: z.int(),
    tasks: z.array(task),
    total: z.union([z.int(), z.string()]),
    next_cursor: z.string(),
    omitted: z.string(),
    near: z.literal(true),
    note: z.string(),
    labels: z.array(z.string()),
    more_labels: z.literal(true),
    projects: z.array(
      z.strictObject({
        name: z.string(),
        what: z.string().optional(),
        open: z.union([z.int(), z.string()]).optional(),
        completed: z.union([z.int(), z.string()]).optional(),
      }),
    ),
    project: z.strictObject({
      name: z.string(),
      archived: z.boolean().optional(),
      open: z.union([z.int(), z.string()]).optional(),
      merged_into: z.string().optional(),
    }),
    moved: z.int(),
    changes: z.array(change),
    cursor: z.int(),
    more: z.literal(true),
    ready: z.array(related),
    unchanged: z.array(z.int()),
    next: z.array(z.strictObject({ id: z.int(), title: z.string(), due: z.string().optional() })),
    similar: z.array(related),
    user: z.string(),
    timezone: z.string(),
    now: z.string(),
    counts: z.record(z.string(), z.union([z.int(), z.string()])),
    overdue: z.array(task),
    today: z.array(task),
    claimed: z.array(task),
    undo: z.string(),
    replayed: z.literal(true),
    dry_run: z.literal(true),
    failed: z.array(z.strictObject({ id: z.union([z.int(), z.string()]), ...refusal })),
    error: z.strictObject(refusal),
  })
  .partial();

export type AnswerField = keyof z.infer<typeof answer>;

/** Returns the JSON type of an answer's field. */
export const typeOf = (field: AnswerField): unknown => z.toJSONSchema(answer.shape[field]).type;

/** Checks an answer against the schema above. @throws ZodError if it does not match, which is a bug */
export function checkAnswer(json: Record<string, unknown>): void {
  answer.parse(json);
}
