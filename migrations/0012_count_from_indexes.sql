DROP INDEX "taskloom"."tasks_open_newest";--> statement-breakpoint
DROP INDEX "taskloom"."tasks_open_due";--> statement-breakpoint
DROP INDEX "taskloom"."tasks_open_priority";--> statement-breakpoint
DROP INDEX "taskloom"."tasks_open_manual";--> statement-breakpoint
DROP INDEX "taskloom"."tasks_ready";--> statement-breakpoint
CREATE INDEX "tasks_open_newest" ON "taskloom"."tasks" USING btree ("user_id","id","project_id") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "tasks_open_due" ON "taskloom"."tasks" USING btree ("user_id","due_sort","id","project_id") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "tasks_open_priority" ON "taskloom"."tasks" USING btree ("user_id","priority","due_sort","id","project_id") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "tasks_open_manual" ON "taskloom"."tasks" USING btree ("user_id","rank","id","project_id") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "tasks_ready" ON "taskloom"."tasks" USING btree ("user_id","priority","due_sort","id","start_sort","claimed_until","project_id") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null and "taskloom"."tasks"."open_blockers" = 0 and "taskloom"."tasks"."open_subtasks" = 0;