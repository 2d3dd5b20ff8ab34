ALTER TABLE "taskloom"."tasks" ADD COLUMN "follows" integer;
--> statement-breakpoint
-- Of series that are there: made by the write that closed the one before, at its place or with its title.
update taskloom.tasks t set follows = f.closed
from (
  select c.user_id, c.entity_id as closed, n.entity_id as made
  from taskloom.changes c
  join taskloom.tasks s on s.user_id = c.user_id and s.id = c.entity_id
  join taskloom.changes n on n.user_id = c.user_id and n.seq >= c.batch and n.seq < c.batch + 10000 and n.batch = c.batch
  where c.entity = 'task' and c.op <> 'create' and c.reverts is null and c.after ? 'status'
    and jsonb_typeof(c.before -> 'repeats') = 'object' and jsonb_typeof(c.after -> 'repeats') = 'null'
    and n.entity = 'task' and n.op = 'create' and jsonb_typeof(n.after -> 'repeats') = 'object'
    and (n.after ->> 'title' = s.title or n.after ->> 'rank' = s.rank)
) f
where t.user_id = f.user_id and t.id = f.made;
