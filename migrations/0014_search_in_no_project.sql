-- A search may be held to what is in no project: the empty name, which no project has. Said as what changes in two functions,
-- for they are long, and one of them names the schema in which this database has an extension.
do $$
declare
  function regproc;
  becomes text;
begin
  foreach function in array array['taskloom.search_tasks', 'taskloom.near_tasks']::regproc[] loop
    becomes := regexp_replace(
      replace(pg_get_functiondef(function), 't.project_id = home)', 't.project_id is not distinct from nullif(home, 0))'),
      'home constant integer := \((select [^;]*)\);',
      'home constant integer := case project when '''' then 0 else (\1) end;'
    );
    if becomes not like '%case project when%' or becomes not like '%nullif(home, 0)%' then
      raise exception 'taskloom.% is not as it was made', function;
    end if;
    execute becomes;
  end loop;
end
$$;
