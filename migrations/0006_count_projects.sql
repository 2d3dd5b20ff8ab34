DROP INDEX "taskloom"."tasks_project";--> statement-breakpoint
CREATE INDEX "tasks_project" ON "taskloom"."tasks" USING btree ("user_id","project_id","id","status","deleted_at");