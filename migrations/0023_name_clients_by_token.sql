-- A client of 2025 over HTTP does not say in each request who it is: it is known by the name of its token.
drop function taskloom.authenticate(text);
--> statement-breakpoint
create function taskloom.authenticate(token_hash text)
returns table (hash text, token_id uuid, scopes text, user_id uuid, handle text, timezone text, use_noted boolean, name text)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select t.hash, t.id, t.scopes, u.id, u.handle, u.timezone,
    coalesce(t.last_used_at > taskloom.app_now() - interval '1 minute', false), t.name
  from taskloom.api_tokens t
  join taskloom.users u on u.id = t.user_id
  where t.hash = token_hash
    and t.revoked_at is null
    and (t.expires_at is null or t.expires_at > taskloom.app_now())
    and u.disabled_at is null;
end
$$;
--> statement-breakpoint
revoke all on function taskloom.authenticate(text) from public;
--> statement-breakpoint
grant execute on function taskloom.authenticate(text) to taskloom_app;
