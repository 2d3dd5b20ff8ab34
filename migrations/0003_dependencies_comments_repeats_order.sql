CREATE TABLE "taskloom"."comments" (
	"user_id" uuid NOT NULL,
	"id" integer NOT NULL,
	"task_id" integer NOT NULL,
	"text" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"by" text NOT NULL,
	CONSTRAINT "comments_user_id_id_pk" PRIMARY KEY("user_id","id"),
	CONSTRAINT "comments_text_length" CHECK (char_length("taskloom"."comments"."text") between 1 and 10000)
);
--> statement-breakpoint
ALTER TABLE "taskloom"."comments" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "taskloom"."dependencies" (
	"user_id" uuid NOT NULL,
	"blocked_id" integer NOT NULL,
	"blocker_id" integer NOT NULL,
	CONSTRAINT "dependencies_user_id_blocked_id_blocker_id_pk" PRIMARY KEY("user_id","blocked_id","blocker_id"),
	CONSTRAINT "dependencies_apart" CHECK ("taskloom"."dependencies"."blocked_id" <> "taskloom"."dependencies"."blocker_id")
);
--> statement-breakpoint
ALTER TABLE "taskloom"."dependencies" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
DROP INDEX "taskloom"."projects_name";--> statement-breakpoint
ALTER TABLE "taskloom"."projects" ALTER COLUMN "name_key" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "taskloom"."counters" ADD COLUMN "next_comment" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "taskloom"."counters" ADD COLUMN "tidied_at" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "taskloom"."projects" ADD COLUMN "archived_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "taskloom"."projects" ADD COLUMN "merged_into" integer;--> statement-breakpoint
ALTER TABLE "taskloom"."projects" ADD COLUMN "deleted_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "start_sort" timestamp with time zone DEFAULT '-infinity' NOT NULL;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "repeats" jsonb;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "rank" text collate "C";--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "open_blockers" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "open_subtasks" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
-- Tasks that are there keep the order they were made in: the rank of a task nobody has moved is its id, as a fractional index.
UPDATE "taskloom"."tasks" t SET
	start_sort = coalesce(t.start_at, t.start_date::timestamp at time zone u.timezone, '-infinity'),
	open_subtasks = (
		select count(*) from "taskloom"."tasks" c
		where c.user_id = t.user_id and c.parent_id = t.id and c.status in ('pending', 'in_progress') and c.deleted_at is null
	),
	rank = (
		select chr(96 + w.width) || string_agg(substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', ((t.id - w.below) / (62 ^ (w.width - place))::int) % 62 + 1, 1), '' order by place)
		from (select case when t.id < 62 then 1 when t.id < 3906 then 2 when t.id < 242234 then 3 else 4 end) as digits (width)
		cross join lateral (select digits.width, case digits.width when 1 then 0 when 2 then 62 when 3 then 3906 else 242234 end) as w (width, below)
		cross join lateral generate_series(1, w.width) as place
		group by w.width
	)
FROM "taskloom"."users" u WHERE u.id = t.user_id;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ALTER COLUMN "rank" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "taskloom"."comments" ADD CONSTRAINT "comments_task_fk" FOREIGN KEY ("user_id","task_id") REFERENCES "taskloom"."tasks"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "taskloom"."dependencies" ADD CONSTRAINT "dependencies_blocked_fk" FOREIGN KEY ("user_id","blocked_id") REFERENCES "taskloom"."tasks"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "taskloom"."dependencies" ADD CONSTRAINT "dependencies_blocker_fk" FOREIGN KEY ("user_id","blocker_id") REFERENCES "taskloom"."tasks"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "comments_task" ON "taskloom"."comments" USING btree ("user_id","task_id","id");--> statement-breakpoint
CREATE INDEX "dependencies_blocker" ON "taskloom"."dependencies" USING btree ("user_id","blocker_id","blocked_id");--> statement-breakpoint
ALTER TABLE "taskloom"."projects" ADD CONSTRAINT "projects_merged_fk" FOREIGN KEY ("user_id","merged_into") REFERENCES "taskloom"."projects"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "changes_reverts" ON "taskloom"."changes" USING btree ("user_id","reverts") WHERE "taskloom"."changes"."reverts" is not null;--> statement-breakpoint
CREATE INDEX "tasks_open_manual" ON "taskloom"."tasks" USING btree ("user_id","rank","id") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "tasks_ready" ON "taskloom"."tasks" USING btree ("user_id","priority","due_sort","id","start_sort") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null and "taskloom"."tasks"."open_blockers" = 0 and "taskloom"."tasks"."open_subtasks" = 0;--> statement-breakpoint
ALTER TABLE "taskloom"."projects" ADD CONSTRAINT "projects_name" UNIQUE("user_id","name_key") DEFERRABLE;--> statement-breakpoint
ALTER TABLE "taskloom"."projects" ADD CONSTRAINT "projects_name_key" CHECK (("taskloom"."projects"."name_key" is null) = ("taskloom"."projects"."merged_into" is not null or "taskloom"."projects"."deleted_at" is not null));--> statement-breakpoint
CREATE POLICY "comments_owner" ON "taskloom"."comments" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid));--> statement-breakpoint
CREATE POLICY "dependencies_owner" ON "taskloom"."dependencies" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid));