-- Before PostgreSQL 18, a function in SQL is parsed and planned in every statement that calls it, unless it can be put into
-- that statement. These two can, now that they set nothing: their names are qualified instead.
create or replace function taskloom.app_now() returns timestamptz
language sql volatile
as $$
  select coalesce(
    nullif(pg_catalog.current_setting('app.now', true), '')::pg_catalog.timestamptz,
    pg_catalog.date_trunc('milliseconds', pg_catalog.clock_timestamp())
  )
$$;
--> statement-breakpoint
create or replace function taskloom.task_words(title text, description text) returns tsvector
language sql immutable parallel safe
as $$
  select pg_catalog.setweight(taskloom.words(title), 'A') operator(pg_catalog.||) taskloom.words(description)
$$;
--> statement-breakpoint
-- A definer's never can: in PL/pgSQL it is planned once for each connection.
create or replace function taskloom.authenticate(token_hash text)
returns table (hash text, token_id uuid, scopes text, user_id uuid, handle text, timezone text, use_noted boolean)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select t.hash, t.id, t.scopes, u.id, u.handle, u.timezone,
    coalesce(t.last_used_at > taskloom.app_now() - interval '1 minute', false)
  from taskloom.api_tokens t
  join taskloom.users u on u.id = t.user_id
  where t.hash = token_hash
    and t.revoked_at is null
    and (t.expires_at is null or t.expires_at > taskloom.app_now())
    and u.disabled_at is null;
end
$$;
