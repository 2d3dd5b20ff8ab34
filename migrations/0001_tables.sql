CREATE SCHEMA IF NOT EXISTS "taskloom";
--> statement-breakpoint
CREATE TABLE "taskloom"."api_tokens" (
	"user_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"hash" text NOT NULL,
	"name" text NOT NULL,
	"scopes" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	CONSTRAINT "api_tokens_user_id_id_pk" PRIMARY KEY("user_id","id")
);
--> statement-breakpoint
ALTER TABLE "taskloom"."api_tokens" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "taskloom"."changes" (
	"user_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"batch" bigint NOT NULL,
	"call" uuid NOT NULL,
	"reverts" bigint,
	"at" timestamp with time zone NOT NULL,
	"actor" jsonb NOT NULL,
	"entity" text NOT NULL,
	"entity_id" integer NOT NULL,
	"version" integer NOT NULL,
	"op" text NOT NULL,
	"before" jsonb NOT NULL,
	"after" jsonb NOT NULL,
	CONSTRAINT "changes_user_id_seq_pk" PRIMARY KEY("user_id","seq")
);
--> statement-breakpoint
ALTER TABLE "taskloom"."changes" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "taskloom"."counters" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"next_task" integer DEFAULT 1 NOT NULL,
	"next_project" integer DEFAULT 1 NOT NULL,
	"change_seq" bigint DEFAULT 0 NOT NULL,
	"changes_from" bigint DEFAULT 1 NOT NULL
);
--> statement-breakpoint
ALTER TABLE "taskloom"."counters" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "taskloom"."projects" (
	"user_id" uuid NOT NULL,
	"id" integer NOT NULL,
	"name" text NOT NULL,
	"name_key" text NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "projects_user_id_id_pk" PRIMARY KEY("user_id","id")
);
--> statement-breakpoint
ALTER TABLE "taskloom"."projects" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "taskloom"."requests" (
	"user_id" uuid NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"answer" jsonb NOT NULL,
	"at" timestamp with time zone NOT NULL,
	CONSTRAINT "requests_user_id_key_pk" PRIMARY KEY("user_id","key")
);
--> statement-breakpoint
ALTER TABLE "taskloom"."requests" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "taskloom"."secrets" (
	"name" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "taskloom"."task_labels" (
	"user_id" uuid NOT NULL,
	"task_id" integer NOT NULL,
	"label_key" text NOT NULL,
	"label" text NOT NULL,
	CONSTRAINT "task_labels_user_id_task_id_label_key_pk" PRIMARY KEY("user_id","task_id","label_key")
);
--> statement-breakpoint
ALTER TABLE "taskloom"."task_labels" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "taskloom"."tasks" (
	"user_id" uuid NOT NULL,
	"id" integer NOT NULL,
	"title" text NOT NULL,
	"title_key" text NOT NULL,
	"description" text,
	"status" text NOT NULL,
	"priority" smallint NOT NULL,
	"due_date" date,
	"due_at" timestamp with time zone,
	"due_sort" timestamp with time zone NOT NULL,
	"start_date" date,
	"start_at" timestamp with time zone,
	"estimate_minutes" integer,
	"project_id" integer,
	"parent_id" integer,
	"version" integer NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"created_by" text NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"updated_by" text NOT NULL,
	"completed_at" timestamp with time zone,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "tasks_user_id_id_pk" PRIMARY KEY("user_id","id"),
	CONSTRAINT "tasks_title_length" CHECK (char_length("taskloom"."tasks"."title") between 1 and 200),
	CONSTRAINT "tasks_description_length" CHECK (char_length("taskloom"."tasks"."description") <= 10000),
	CONSTRAINT "tasks_status" CHECK ("taskloom"."tasks"."status" in ('pending', 'in_progress', 'completed', 'cancelled')),
	CONSTRAINT "tasks_priority" CHECK ("taskloom"."tasks"."priority" between 1 and 5),
	CONSTRAINT "tasks_due" CHECK ("taskloom"."tasks"."due_date" is null or "taskloom"."tasks"."due_at" is null),
	CONSTRAINT "tasks_start" CHECK ("taskloom"."tasks"."start_date" is null or "taskloom"."tasks"."start_at" is null),
	CONSTRAINT "tasks_parent" CHECK ("taskloom"."tasks"."parent_id" <> "taskloom"."tasks"."id")
);
--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "taskloom"."users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"handle" text NOT NULL,
	"name" text,
	"timezone" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"disabled_at" timestamp with time zone
);
--> statement-breakpoint
ALTER TABLE "taskloom"."users" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "taskloom"."api_tokens" ADD CONSTRAINT "api_tokens_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "taskloom"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "taskloom"."counters" ADD CONSTRAINT "counters_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "taskloom"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "taskloom"."projects" ADD CONSTRAINT "projects_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "taskloom"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "taskloom"."task_labels" ADD CONSTRAINT "task_labels_task_fk" FOREIGN KEY ("user_id","task_id") REFERENCES "taskloom"."tasks"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD CONSTRAINT "tasks_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "taskloom"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD CONSTRAINT "tasks_project_fk" FOREIGN KEY ("user_id","project_id") REFERENCES "taskloom"."projects"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD CONSTRAINT "tasks_parent_fk" FOREIGN KEY ("user_id","parent_id") REFERENCES "taskloom"."tasks"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "api_tokens_hash" ON "taskloom"."api_tokens" USING btree ("hash");--> statement-breakpoint
CREATE INDEX "changes_entity" ON "taskloom"."changes" USING btree ("user_id","entity","entity_id","seq");--> statement-breakpoint
CREATE INDEX "changes_at" ON "taskloom"."changes" USING btree ("user_id","at","entity_id");--> statement-breakpoint
CREATE UNIQUE INDEX "projects_name" ON "taskloom"."projects" USING btree ("user_id","name_key");--> statement-breakpoint
CREATE INDEX "task_labels_label" ON "taskloom"."task_labels" USING btree ("user_id","label_key","task_id");--> statement-breakpoint
CREATE INDEX "tasks_open_newest" ON "taskloom"."tasks" USING btree ("user_id","id") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "tasks_open_due" ON "taskloom"."tasks" USING btree ("user_id","due_sort","id") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "tasks_open_priority" ON "taskloom"."tasks" USING btree ("user_id","priority","due_sort","id") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "tasks_completed" ON "taskloom"."tasks" USING btree ("user_id","completed_at","id") WHERE "taskloom"."tasks"."completed_at" is not null;--> statement-breakpoint
CREATE INDEX "tasks_deleted" ON "taskloom"."tasks" USING btree ("user_id","deleted_at","id") WHERE "taskloom"."tasks"."deleted_at" is not null;--> statement-breakpoint
CREATE INDEX "tasks_project" ON "taskloom"."tasks" USING btree ("user_id","project_id","id");--> statement-breakpoint
CREATE INDEX "tasks_parent" ON "taskloom"."tasks" USING btree ("user_id","parent_id","id");--> statement-breakpoint
CREATE INDEX "tasks_title" ON "taskloom"."tasks" USING btree ("user_id","title_key");--> statement-breakpoint
CREATE UNIQUE INDEX "users_handle" ON "taskloom"."users" USING btree ("handle");--> statement-breakpoint
CREATE POLICY "api_tokens_owner" ON "taskloom"."api_tokens" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid));--> statement-breakpoint
CREATE POLICY "changes_owner" ON "taskloom"."changes" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid));--> statement-breakpoint
CREATE POLICY "counters_owner" ON "taskloom"."counters" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid));--> statement-breakpoint
CREATE POLICY "projects_owner" ON "taskloom"."projects" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid));--> statement-breakpoint
CREATE POLICY "requests_owner" ON "taskloom"."requests" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid));--> statement-breakpoint
CREATE POLICY "task_labels_owner" ON "taskloom"."task_labels" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid));--> statement-breakpoint
CREATE POLICY "tasks_owner" ON "taskloom"."tasks" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (user_id = (select nullif(current_setting('app.user_id', true), '')::uuid));--> statement-breakpoint
CREATE POLICY "users_owner" ON "taskloom"."users" AS PERMISSIVE FOR ALL TO "taskloom_app" USING (id = (select nullif(current_setting('app.user_id', true), '')::uuid)) WITH CHECK (id = (select nullif(current_setting('app.user_id', true), '')::uuid));