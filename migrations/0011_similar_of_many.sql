DROP INDEX "taskloom"."tasks_title";--> statement-breakpoint
CREATE INDEX "tasks_title" ON "taskloom"."tasks" USING btree ("user_id","title_key","id");--> statement-breakpoint
-- Open tasks like one that is about to be added: of the same words, or with its two longest, looked for among so many that
-- it costs the same however many there are. Whether a task is open is asked of those alone: until there are statistics, the
-- planner takes an index of what is open for the smallest there is, and reads it whole. The plan for titles is kept, for no
-- other index has their order; the one for words is not, for it may have been made when there were few tasks.
create or replace function taskloom.similar_tasks(title text, key text) returns table (id integer, rank integer)
language plpgsql stable security definer rows 6
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  me constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
  archived constant integer[] := array(
    select p.id from taskloom.projects p where p.user_id = me and p.archived_at is not null
  );
  said constant tsvector := taskloom.words(title);
  telling constant text[] := array(
    select lexeme from unnest(said) where char_length(lexeme) >= 3
    order by char_length(lexeme) desc, lexeme limit 2
  );
  every constant tsquery := (select string_agg('''' || lexeme || '''', ' | ')::tsquery from unnest(said));
  found integer;
begin
  return query
    select c.id, 1000
    from (
      select t.id, t.status, t.deleted_at, t.project_id
      from taskloom.tasks t
      where t.user_id = me and t.title_key >= key and t.title_key <= key
      order by t.user_id desc, t.title_key desc, t.id desc
      limit 200
    ) c
    where c.status in ('pending', 'in_progress') and c.deleted_at is null
    and (c.project_id is null or c.project_id <> all (archived))
    order by c.id desc
    limit 3;
  get diagnostics found = row_count;
  if found = 3 or cardinality(telling) < 2 then -- of the same words there are enough to say
    return;
  end if;
  return query execute $query$
    select m.id, least(999, 1000 * m.likeness)::integer
    from (
      select c.id, ts_rank(c.words, $4) as likeness
      from (
        select t.id, t.words, t.title_key, t.status, t.deleted_at, t.project_id
        from taskloom.tasks t
        where t.user_id = $1 and t.words @@ $2
        limit 1000
      ) c
      where c.title_key <> $3
      and c.status in ('pending', 'in_progress') and c.deleted_at is null
      and (c.project_id is null or c.project_id <> all ($5))
      limit 200
    ) m
    order by m.likeness desc, m.id desc
    limit 3
  $query$ using me, format('%L:A & %L:A', telling[1], telling[2])::tsquery, key, every, archived;
end
$$;
