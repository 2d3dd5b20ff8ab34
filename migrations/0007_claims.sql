DROP INDEX "taskloom"."tasks_ready";--> statement-breakpoint
ALTER TABLE "taskloom"."requests" ADD COLUMN "relayed" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "claimed_by" text;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "claimed_until" timestamp with time zone DEFAULT '-infinity' NOT NULL;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "claim" bigint;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "note" text;--> statement-breakpoint
CREATE INDEX "tasks_claimed" ON "taskloom"."tasks" USING btree ("user_id","claimed_until","id") WHERE "taskloom"."tasks"."claimed_by" is not null;--> statement-breakpoint
CREATE INDEX "tasks_ready" ON "taskloom"."tasks" USING btree ("user_id","priority","due_sort","id","start_sort","claimed_until") WHERE "taskloom"."tasks"."status" in ('pending', 'in_progress') and "taskloom"."tasks"."deleted_at" is null and "taskloom"."tasks"."open_blockers" = 0 and "taskloom"."tasks"."open_subtasks" = 0;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD CONSTRAINT "tasks_claim" CHECK (("taskloom"."tasks"."claimed_by" is null) = ("taskloom"."tasks"."claimed_until" = '-infinity'));--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD CONSTRAINT "tasks_claim_number" CHECK ("taskloom"."tasks"."claimed_by" is null or "taskloom"."tasks"."claim" is not null);--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD CONSTRAINT "tasks_note_length" CHECK (char_length("taskloom"."tasks"."note") <= 2000);
--> statement-breakpoint
-- As it was, but that answers to calls which a process handed on are kept for an hour: nobody repeats those later.
create or replace function taskloom.tidy(history_days integer) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  me constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
  present constant timestamptz := taskloom.app_now();
  gone integer[];
  cut bigint;
begin
  delete from taskloom.requests r
  where r.user_id = me and r.key in (
    select o.key from taskloom.requests o
    where o.user_id = me and o.at <= present - case when o.relayed then interval '1 hour' else interval '24 hours' end
    limit 1000
  );

  gone := array(
    select t.id from taskloom.tasks t
    where t.user_id = me and t.deleted_at <= present - interval '30 days'
    order by t.deleted_at, t.id limit 500
  );
  if cardinality(gone) > 0 then
    update taskloom.tasks t set parent_id = null where t.user_id = me and t.parent_id = any (gone);
    delete from taskloom.dependencies d where d.user_id = me and (d.blocked_id = any (gone) or d.blocker_id = any (gone));
    delete from taskloom.comments c where c.user_id = me and c.task_id = any (gone);
    delete from taskloom.task_labels l where l.user_id = me and l.task_id = any (gone);
    delete from taskloom.tasks t where t.user_id = me and t.id = any (gone);
  end if;

  -- A write is forgotten whole or not at all.
  select max(b.last) into cut from (
    select max(c.seq) as last, max(c.at) as at from (
      select o.seq, o.batch, o.at from taskloom.changes o where o.user_id = me order by o.seq limit 5000
    ) c group by c.batch order by min(c.seq)
  ) b where b.at <= present - make_interval(days => history_days);
  if cut is not null then
    select max(c.seq) into cut from taskloom.changes c
    where c.user_id = me and c.batch = (select o.batch from taskloom.changes o where o.user_id = me and o.seq = cut);
    delete from taskloom.changes c where c.user_id = me and c.seq <= cut;
  end if;

  update taskloom.counters c set tidied_at = present, changes_from = coalesce(cut + 1, c.changes_from) where c.user_id = me;
end
$$;
