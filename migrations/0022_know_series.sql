ALTER TABLE "taskloom"."tasks" ADD COLUMN "series" integer;
--> statement-breakpoint
-- A series is known by its first task; so far each knew the one before. The first of a line that is kept may follow one that is not.
create index tasks_followed on taskloom.tasks (user_id, follows) where follows is not null;
--> statement-breakpoint
with recursive line (user_id, id, series) as (
  select t.user_id, t.id, t.follows from taskloom.tasks t
    left join taskloom.tasks before on before.user_id = t.user_id and before.id = t.follows
    where t.follows is not null and before.follows is null
  union all
  select t.user_id, t.id, l.series from line l join taskloom.tasks t on t.user_id = l.user_id and t.follows = l.id
)
update taskloom.tasks t set series = l.series from line l where t.user_id = l.user_id and t.id = l.id;
--> statement-breakpoint
DROP INDEX "taskloom"."tasks_follows";
--> statement-breakpoint
CREATE INDEX "tasks_series" ON "taskloom"."tasks" USING btree ("user_id","series") WHERE "taskloom"."tasks"."series" is not null and "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null;
--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" DROP COLUMN "follows";
