-- A task waits for its sub-tasks anyway; one that blocks it besides would now wait with it, for itself.
with recursive below (user_id, whole, part) as (
  select t.user_id, t.parent_id, t.id from taskloom.tasks t where t.parent_id is not null
  union all
  select b.user_id, t.parent_id, b.part from below b
    join taskloom.tasks t on t.user_id = b.user_id and t.id = b.whole where t.parent_id is not null
), gone as (
  delete from taskloom.dependencies d using below b
    where d.user_id = b.user_id and d.blocked_id = b.whole and d.blocker_id = b.part
    returning d.user_id, d.blocked_id, d.blocker_id
)
update taskloom.tasks t set open_blockers = t.open_blockers - g.open from (
  select g.user_id, g.blocked_id, count(*)::int as open from gone g
    join taskloom.tasks b on b.user_id = g.user_id and b.id = g.blocker_id
    where b.status in ('pending', 'in_progress') and b.deleted_at is null
    group by g.user_id, g.blocked_id
) g where t.user_id = g.user_id and t.id = g.blocked_id;
