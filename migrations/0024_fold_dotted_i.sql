-- "İş" and "iş" are one name: of a key that has an i with a combining dot (U+0307), the dot goes.
-- Where both names are in use, the project keeps its own under another name, and a task keeps one of two equal labels.
update taskloom.projects p set
  name = case when twin.id is null then p.name else left(p.name, 90) || ' (' || p.id || ')' end,
  name_key = replace(p.name_key, U&'i\0307', 'i') || case when twin.id is null then '' else ' (' || p.id || ')' end
from taskloom.projects mine
left join lateral (
  select other.id from taskloom.projects other
  where other.user_id = mine.user_id and other.id <> mine.id
    and replace(other.name_key, U&'i\0307', 'i') = replace(mine.name_key, U&'i\0307', 'i')
    and (position(U&'i\0307' in other.name_key) = 0 or other.id < mine.id)
  limit 1
) twin on true
where p.user_id = mine.user_id and p.id = mine.id and position(U&'i\0307' in mine.name_key) > 0;
--> statement-breakpoint
delete from taskloom.task_labels l using taskloom.task_labels other
where position(U&'i\0307' in l.label_key) > 0
  and other.user_id = l.user_id and other.task_id = l.task_id and other.label_key <> l.label_key
  and replace(other.label_key, U&'i\0307', 'i') = replace(l.label_key, U&'i\0307', 'i')
  and (position(U&'i\0307' in other.label_key) = 0 or other.label_key < l.label_key);
--> statement-breakpoint
update taskloom.task_labels set label_key = replace(label_key, U&'i\0307', 'i') where position(U&'i\0307' in label_key) > 0;
