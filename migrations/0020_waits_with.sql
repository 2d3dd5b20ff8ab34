-- The nearest task above one that is blocked or is to start later, as of a moment. In PL/pgSQL it is planned once for each
-- connection, and costs statements nothing for tasks that are part of none.
create function taskloom.waits_with(owner uuid, parent integer, present timestamptz) returns integer
language plpgsql stable
as $$
declare
  above record;
begin
  for level in 1..4 loop
    exit when parent is null;
    select t.parent_id, t.status in ('pending', 'in_progress') and t.deleted_at is null
        and (t.open_blockers > 0 or t.start_sort > present) as holds
      into above from taskloom.tasks t where t.user_id = owner and t.id = parent;
    if above.holds then
      return parent;
    end if;
    parent := above.parent_id;
  end loop;
  return null;
end
$$;
--> statement-breakpoint
revoke all on function taskloom.waits_with(uuid, integer, timestamptz) from public;
--> statement-breakpoint
grant execute on function taskloom.waits_with(uuid, integer, timestamptz) to taskloom_app;
