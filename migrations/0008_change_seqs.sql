-- The number of the newest change of each of these users, but for closed accounts: how a process that was out of
-- touch learns whose tasks changed meanwhile. It says nothing of what changed: that is read as the user.
create function taskloom.change_seqs(user_ids uuid[])
returns table (user_id uuid, change_seq bigint)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select c.user_id, c.change_seq
  from taskloom.counters c
  join taskloom.users u on u.id = c.user_id
  where c.user_id = any (user_ids) and u.disabled_at is null
$$;
--> statement-breakpoint
-- Which of these tokens, by their hashes, are good now, and for how many milliseconds more if they expire. What is
-- good is the same here as in taskloom.authenticate.
create function taskloom.live_tokens(token_hashes text[])
returns table (hash text, left_ms double precision)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select t.hash, extract(epoch from t.expires_at - taskloom.app_now())::double precision * 1000
  from taskloom.api_tokens t
  join taskloom.users u on u.id = t.user_id
  where t.hash = any (token_hashes)
    and t.revoked_at is null
    and (t.expires_at is null or t.expires_at > taskloom.app_now())
    and u.disabled_at is null
$$;
--> statement-breakpoint
revoke all on function taskloom.change_seqs(uuid[]), taskloom.live_tokens(text[]) from public;
--> statement-breakpoint
grant execute on function taskloom.change_seqs(uuid[]), taskloom.live_tokens(text[]) to taskloom_app;
