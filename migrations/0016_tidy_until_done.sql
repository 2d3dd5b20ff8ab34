-- As it was, but that it goes on in a minute, not in an hour, where there was more than one call removes: a busy fleet of
-- agents leaves more than a thousand answers an hour.
create or replace function taskloom.tidy(history_days integer) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  me constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
  present constant timestamptz := taskloom.app_now();
  gone integer[];
  cut bigint;
  count integer;
  more boolean;
begin
  delete from taskloom.requests r
  where r.user_id = me and r.key in (
    select o.key from taskloom.requests o
    where o.user_id = me and o.at <= present - case when o.relayed then interval '1 hour' else interval '24 hours' end
    limit 1000
  );
  get diagnostics count = row_count;
  more := count = 1000;

  gone := array(
    select t.id from taskloom.tasks t
    where t.user_id = me and t.deleted_at <= present - interval '30 days'
    order by t.deleted_at, t.id limit 500
  );
  more := more or cardinality(gone) = 500;
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
    get diagnostics count = row_count;
    more := more or count >= 5000;
  end if;

  update taskloom.counters c
  set tidied_at = case when more then present - interval '59 minutes' else present end,
    changes_from = coalesce(cut + 1, c.changes_from) where c.user_id = me;
end
$$;
