-- The role that every user's transaction runs as: no login, no rights but those granted in `grants`.
do $$
begin
  if not exists (select from pg_roles where rolname = 'taskloom_app') then
    create role taskloom_app nologin;
  end if;
exception
  when duplicate_object or unique_violation then null; -- another database of this server was migrated at the same moment
end
$$;
--> statement-breakpoint
-- From PostgreSQL 16 on, creating a role no longer lets its creator switch to it.
grant taskloom_app to current_user;
