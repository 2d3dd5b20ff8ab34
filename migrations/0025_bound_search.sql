-- Text as it is compared, see 0005; at most 11,000 characters of it, which is more than any description has.
create or replace function taskloom.fold(said text) returns text
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  plain text := said;
begin
  if octet_length(plain) > char_length(plain) then
    -- Normalizing takes time that grows with the square of a run of combining marks, so long runs are broken.
    plain := regexp_replace(plain collate "C", '([^\u0001-\u02ff]{250})', '\1 ', 'g');
    -- No character of ordinary text becomes more than three; some become 18.
    plain := left(normalize(plain, nfkd), 30000);
    plain := regexp_replace(plain collate "C", '[\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ef]+', '', 'g');
    plain := translate(plain,
      'ØøŁłĐđÐðĦħŦŧıςŊƁƆƉƊƎƏƐƓƔƖƗƘƝƱƲƳƷΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӃӅӇӉӋӍӔӘӠӨӶӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖ',
      'oollddddhhttiσŋɓɔɖɗǝəɛɠɣɩɨƙɲʊʋƴʒαβγδεζηθικλμνξοπρστυφχψωђєѕіјљњћџабвгдежзиклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӄӆӈӊӌӎӕәӡөӷӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ');
    plain := replace(replace(replace(plain, 'ß', 'ss'), 'ẞ', 'ss'), 'Æ', 'ae');
    plain := replace(replace(replace(plain, 'æ', 'ae'), 'Œ', 'oe'), 'œ', 'oe');
    plain := replace(replace(plain, 'Þ', 'th'), 'þ', 'th');
    plain := left(normalize(plain, nfc), 11000);
  end if;
  return lower(plain collate "C");
end
$$;
--> statement-breakpoint
-- Tasks that come near to what was looked for, best first, where nothing has all of its words: a word of four letters or
-- more may be spelt otherwise in a title, shorter ones and numbers may not. Takes what search_tasks takes. However many
-- tasks are like the longest word, only 2,000 are filtered and 500 compared by the rest. Plain index scans
-- are off: the planner would read another index whole in the hope of finding candidates at once.
do $$
begin
  execute replace($create$
create or replace function taskloom.near_tasks(
  query text, number integer, statuses text[], trashed boolean, archived boolean, project text, labels text[],
  of_priority smallint, due_from timestamptz, due_until timestamptz, parent integer, completed_from timestamptz
) returns table (id integer, rank integer)
language plpgsql stable security definer rows 20
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set enable_indexscan = off
set pg_trgm.word_similarity_threshold = 0.3
as $body$
declare
  me constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
  said constant text[] := string_to_array(regexp_replace(taskloom.spaced(taskloom.fold(query)), U&'\E000+', ' ', 'g'), ' ');
  short constant tsquery := (
    select string_agg('''' || w || ''':*', ' & ')::tsquery from unnest(said) as w
    where (char_length(w) < 4 or w ~ '[0-9]') and w <> 'or'
  );
  -- The longest first, for it says the most; each with what two letters in the wrong order make of it.
  long constant text[] := array(
    select left(w, 60) from unnest(said) as w
    where char_length(w) >= 4 and w !~ '[0-9]'
    group by w order by char_length(w) desc, w limit 4
  );
  swapped constant tsquery[] := array(
    select string_agg('''' || left(w, i - 1) || substr(w, i + 1, 1) || substr(w, i, 1) || substr(w, i + 2) || '''', ' | ')::tsquery
      || ('''' || w || ''':*')::tsquery
    from unnest(long) with ordinality as l (w, n) cross join generate_series(1, char_length(w) - 1) as i
    group by w, n order by n
  );
  -- 0 stands for tasks in no project, which the empty name asks for.
  home constant integer := case project when '' then 0 else (
    select p.id from taskloom.projects p where p.user_id = me and p.name_key = project
  ) end;
begin
  if cardinality(long) = 0 or (project is not null and home is null) then
    return;
  end if;
  -- Of its groups of three letters, a long word with two mistakes still has most.
  perform set_config('pg_trgm.word_similarity_threshold', greatest(0.3, 1 - 6.0 / (char_length(long[1]) + 1))::text, true);
  return query
    with candidates as materialized (
      select t.* from taskloom.tasks t
      where t.user_id = me
      and (long[1] operator(EXTENSION.<%) t.title_key or t.words @@ swapped[1])
      and (short is null or t.words @@ short)
      limit 2000
    ), allowed as materialized (
      select t.id, t.title_key, t.words
      from candidates t
      where case when trashed then t.deleted_at is not null else t.deleted_at is null end
      and (statuses is null or t.status = any (statuses))
      and (home is null or t.project_id is not distinct from nullif(home, 0))
      and (archived or t.project_id is null or not exists (
        select from taskloom.projects p where p.user_id = me and p.id = t.project_id and p.archived_at is not null
      ))
      and (labels is null or not exists (
        select from unnest(labels) as wanted (key) where not exists (
          select from taskloom.task_labels l where l.user_id = me and l.task_id = t.id and l.label_key = wanted.key
        )
      ))
      and (of_priority is null or t.priority = of_priority)
      and (due_from is null or t.due_sort >= due_from)
      and (due_until is null or t.due_sort < due_until)
      and (parent is null or t.parent_id = parent)
      and (completed_from is null or t.completed_at >= completed_from)
      order by t.id desc
      limit 500
    ), near as (
      select a.id, w.nearness
      from allowed a
      cross join lateral (
        select avg(s.similarity) as nearness, min(s.similarity) as least
        from (
          select case when a.words @@ swapped[i] then 0.9 else EXTENSION.word_similarity(long[i], a.title_key) end as similarity
          from generate_series(1, cardinality(long)) as i
        ) s
      ) w
      where w.least >= 0.3
    )
    select n.id, (-1000 + 900 * n.nearness)::integer
    from near n
    where n.nearness >= 0.75 * (select max(b.nearness) from near b)
    order by 2 desc, 1 desc
    limit 20;
end
$body$
$create$, 'EXTENSION', (
    select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_trgm'
  ));
end
$$;
