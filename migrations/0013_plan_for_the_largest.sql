-- A statement is planned once for all users, and must serve whoever has most: told that half of a table may be one user's,
-- the planner goes by an index that has the order asked for, and stops where the page is full, instead of sorting what an
-- average user has. To who has little, that costs nothing.
do $$
declare
  owned text;
begin
  foreach owned in array array['projects', 'tasks', 'task_labels', 'dependencies', 'comments', 'changes', 'requests'] loop
    execute format('alter table taskloom.%I alter column user_id set (n_distinct = 2)', owned);
    execute format('analyze taskloom.%I', owned);
  end loop;
end
$$;
