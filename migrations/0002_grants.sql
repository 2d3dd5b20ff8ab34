-- What the runtime role may do. Everything else, the tokens and the secrets above all, it may not.
grant usage on schema taskloom to taskloom_app;
--> statement-breakpoint
grant select on taskloom.users to taskloom_app;
--> statement-breakpoint
grant select, update on taskloom.counters to taskloom_app;
--> statement-breakpoint
grant select, insert, update on taskloom.projects, taskloom.tasks to taskloom_app;
--> statement-breakpoint
grant select, insert, delete on taskloom.task_labels to taskloom_app;
--> statement-breakpoint
grant select, insert on taskloom.changes to taskloom_app;
--> statement-breakpoint
grant select, insert, update, delete on taskloom.requests to taskloom_app;
--> statement-breakpoint
-- The row is rewritten by every write of its user: leave room to do so in place.
alter table taskloom.counters set (fillfactor = 50);
--> statement-breakpoint
-- The clock that processes agree on. Tests set app.now; nothing else does.
create function taskloom.app_now() returns timestamptz
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(nullif(current_setting('app.now', true), '')::timestamptz, date_trunc('milliseconds', clock_timestamp()))
$$;
--> statement-breakpoint
-- Who holds the token with this hash, if it is good now. Runs before a user is known, so as its definer.
create function taskloom.authenticate(token_hash text)
returns table (hash text, token_id uuid, scopes text, user_id uuid, handle text, timezone text, use_noted boolean)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select t.hash, t.id, t.scopes, u.id, u.handle, u.timezone,
    coalesce(t.last_used_at > taskloom.app_now() - interval '1 minute', false)
  from taskloom.api_tokens t
  join taskloom.users u on u.id = t.user_id
  where t.hash = token_hash
    and t.revoked_at is null
    and (t.expires_at is null or t.expires_at > taskloom.app_now())
    and u.disabled_at is null
$$;
--> statement-breakpoint
create function taskloom.note_token_use(token_hash text) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  update taskloom.api_tokens set last_used_at = taskloom.app_now()
  where hash = token_hash
    and (last_used_at is null or last_used_at <= taskloom.app_now() - interval '1 minute')
$$;
--> statement-breakpoint
create function taskloom.find_user(user_handle text)
returns table (user_id uuid, timezone text, disabled boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select u.id, u.timezone, u.disabled_at is not null from taskloom.users u where u.handle = user_handle
$$;
--> statement-breakpoint
revoke all on function taskloom.authenticate(text), taskloom.note_token_use(text), taskloom.find_user(text) from public;
--> statement-breakpoint
grant execute on function taskloom.authenticate(text), taskloom.note_token_use(text), taskloom.find_user(text) to taskloom_app;
