-- A search may be held to what is in no project: the empty name, which no project has.
do $$
declare
  function regproc;
  was text;
  becomes text;
begin
  foreach function in array array['taskloom.search_tasks', 'taskloom.near_tasks']::regproc[] loop
    was := pg_get_functiondef(function);
    becomes := replace(
      replace(was, 'home constant integer := (select', 'home constant integer := case project when '''' then 0 else (select'),
      'p.name_key = project);',
      'p.name_key = project) end;'
    );
    becomes := replace(becomes, 't.project_id = home)', 't.project_id is not distinct from nullif(home, 0))');
    if length(becomes) <> length(was) + length('case project when '''' then 0 else ') + length(' end') + length(' is not distinct from nullif(home, 0)') - length(' = home') then
      raise exception 'taskloom.% is not as it was made', function;
    end if;
    execute becomes;
  end loop;
end
$$;
