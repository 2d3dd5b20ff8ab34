-- Both are trusted: whoever may create a schema here may create them. Where they are there already, they stay in their schema.
do $$
declare
  extension text;
begin
  foreach extension in array array['btree_gin', 'pg_trgm'] loop
    if not exists (select from pg_extension where extname = extension) then
      if not exists (select from pg_available_extensions where name = extension) then
        raise exception 'extension % is not available', extension using errcode = 'undefined_file';
      end if;
      execute format('create extension %I with schema taskloom', extension);
    end if;
  end loop;
end
$$;
--> statement-breakpoint
-- Text as it is compared: without case, accents and compatibility forms. Spelt out, for what PostgreSQL's own functions
-- and parser make of a letter depends on release and locale, and the same words are to be found on every server.
create function taskloom.fold(said text) returns text
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  plain text := said;
begin
  if octet_length(plain) > char_length(plain) then
    plain := normalize(plain, nfkd);
    plain := regexp_replace(plain collate "C", '[\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ef]+', '', 'g');
    plain := translate(plain,
      'ØøŁłĐđÐðĦħŦŧıςŊƁƆƉƊƎƏƐƓƔƖƗƘƝƱƲƳƷΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӃӅӇӉӋӍӔӘӠӨӶӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖ',
      'oollddddhhttiσŋɓɔɖɗǝəɛɠɣɩɨƙɲʊʋƴʒαβγδεζηθικλμνξοπρστυφχψωђєѕіјљњћџабвгдежзиклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӄӆӈӊӌӎӕәӡөӷӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ');
    plain := replace(replace(replace(plain, 'ß', 'ss'), 'ẞ', 'ss'), 'Æ', 'ae');
    plain := replace(replace(replace(plain, 'æ', 'ae'), 'Œ', 'oe'), 'œ', 'oe');
    plain := replace(replace(plain, 'Þ', 'th'), 'þ', 'th');
    plain := normalize(plain, nfc);
  end if;
  return lower(plain collate "C");
end
$$;
--> statement-breakpoint
-- Folded text as words with one space between them. Where a script writes no spaces, and of pictures, every character is
-- a word. What apostrophes and hyphens hold together stays one word here, with U+E000 in their place.
create function taskloom.spaced(folded text) returns text
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  plain text := translate(folded, '''’ʼ‐-', repeat(U&'\E000', 5));
begin
  if octet_length(plain) > char_length(plain) then
    plain := regexp_replace(plain collate "C", '([\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecf\u0edc-\u0edf\u1000-\u103f\u1050-\u109f\u1780-\u17d3\u1100-\u11ff\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff\u2e80-\u2fdf\u3005-\u3007\u3021-\u302f\u3031-\u303a\u3041-\u3098\u309d-\u309f\u30a1-\u30fa\u30fc-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff])', ' \1 ', 'g');
  end if;
  plain := regexp_replace(plain collate "C", '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u02c2-\u02c5\u02d2-\u02eb\u02ed\u02ef-\u02ff\u0375\u03f6\u0482\u055a-\u055f\u0589-\u05c6\u05f3\u05f4\u0606-\u061b\u061d-\u061f\u066a-\u066d\u06d4\u06de\u06e9\u06fd\u06fe\u0700-\u070d\u07f6-\u07f9\u07fe\u07ff\u0830-\u083e\u085e\u0888\u0964\u0965\u0970\u09f2\u09f3\u09fa\u09fb\u09fd\u0a76\u0af0\u0af1\u0b70\u0bf3-\u0bfa\u0c77\u0c7f\u0c84\u0d4f\u0d79\u0df4\u0e3f\u0e4f\u0e5a\u0e5b\u0f01-\u0f17\u0f1a-\u0f1f\u0f34\u0f36\u0f38\u0f3a-\u0f3d\u0f85\u0fbe-\u0fc5\u0fc7-\u0fda\u104a-\u104f\u10fb\u1360-\u1368\u1390-\u1399\u1400\u166d\u166e\u1680\u169b\u169c\u16eb-\u16ed\u1735\u1736\u17d4-\u17d6\u17d8-\u17db\u1800-\u180a\u1940-\u1945\u19de-\u19ff\u1a1e\u1a1f\u1aa0-\u1aa6\u1aa8-\u1aad\u1b4e\u1b4f\u1b5a-\u1b6a\u1b74-\u1b7f\u1bfc-\u1bff\u1c3b-\u1c3f\u1c7e\u1c7f\u1cc0-\u1cc7\u1cd3\u2010-\u212e\u213a-\u214d\u214f\u218a-\u2319\u2400-\u244a\u2500-\u25ff\u27c0-\u2aff\u2ce5-\u2cea\u2cf9-\u2cfc\u2cfe\u2cff\u2d70\u2e00-\u2e2e\u2e30-\u2e5d\u2ff0-\u3004\u3008-\u3020\u3030\u303d-\u303f\u30a0\u30fb\u3190\u3191\u31c0-\u31ef\u327f\u4dc0-\u4dff\ua490-\ua4c6\ua4fe\ua4ff\ua60d-\ua60f\ua673\ua67e\ua6f2-\ua716\ua720\ua721\ua789\ua78a\ua828-\ua82b\ua836-\ua839\ua874-\ua877\ua8ce\ua8cf\ua8f8-\ua8fa\ua8fc\ua92e\ua92f\ua95f\ua9c1-\ua9cd\ua9de\ua9df\uaa5c-\uaa5f\uaa77-\uaa79\uaade\uaadf\uaaf0\uaaf1\uab5b\uab6a\uab6b\uabeb\ufbb2-\ufe46\ufffc\ufffd]+', ' ', 'g');
  return btrim(regexp_replace(' ' || plain || ' ', U&'[ \E000]* [ \E000]*', ' ', 'g'));
end
$$;
--> statement-breakpoint
-- The words of a text and where they stand; words held together by apostrophes or hyphens both apart and as one.
create function taskloom.words(said text) returns tsvector
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  folded constant text := taskloom.fold(said);
  plain text := folded;
  list text[];
begin
  if folded is null then
    return '';
  end if;
  -- Most texts can be left to PostgreSQL's own parser, which is faster: those of words that it takes apart in the same
  -- way everywhere, without numbers like 1e5, and without punctuation that makes addresses, paths, tags or signs of them.
  if octet_length(folded) = char_length(folded) then
    if folded collate "C" ~ '[a-z0-9][''-]+[a-z0-9]' then
      plain := folded || (
        select coalesce(' ' || string_agg(translate(m[1], '''-', ''), ' '), '')
        from regexp_matches(folded collate "C", '([a-z0-9]+(?:[''-]+[a-z0-9]+)+)', 'g') as m
      );
    end if;
    if plain collate "C" !~ '[0-9]e[0-9]' then
      if plain collate "C" ~ '[^a-z0-9 \n!"#$%''()*,.:;?-]|[.:-][a-z0-9.]|[a-z0-9]-' then
        plain := translate(plain, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32));
      end if;
      return to_tsvector('simple', plain);
    end if;
  end if;
  plain := taskloom.spaced(folded);
  if plain = '' then
    return '';
  end if;
  list := string_to_array(plain, ' ');
  if strpos(plain, U&'\E000') > 0 then
    list := string_to_array(regexp_replace(plain, U&'\E000+', ' ', 'g'), ' ')
      || array(select replace(w, U&'\E000', '') from unnest(list) as w where strpos(w, U&'\E000') > 0);
  end if;
  return (select string_agg('''' || left(w, 500) || ''':' || n, ' ')::tsvector from unnest(list) with ordinality as l (w, n));
end
$$;
--> statement-breakpoint
create function taskloom.task_words(title text, description text) returns tsvector
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select setweight(taskloom.words(title), 'A') || taskloom.words(description)
$$;
--> statement-breakpoint
-- What to look for: words, "phrases", or, -not, as websearch_to_tsquery reads them, and words with punctuation inside as
-- phrases. The last word is a beginning, unless it is one letter or something follows it. Nothing where nothing would be looked for.
create function taskloom.search_query(said text, beginning boolean) returns tsquery
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  plain constant text := taskloom.fold(translate(said, '“”„‟«»', repeat('"', 6)));
  parts constant text[] := array(
    select m[1] || case when m[3] is null then '"' || m[2] else m[3] end
    from regexp_matches(plain, '(-?)(?:"([^"]*)"?|([^\u0001-\u0020"]+))', 'g') as m
  );
  part text;
  spaced text;
  list text[];
  term text;
  terms text := '';
  groups text[] := '{}';
  positive boolean := false;
begin
  for i in 1 .. cardinality(parts) loop
    part := parts[i];
    if part = 'or' and i > 1 and i < cardinality(parts) then
      if not positive then
        return null;
      end if;
      groups := groups || terms;
      terms := '';
      positive := false;
      continue;
    end if;
    spaced := taskloom.spaced(part);
    continue when spaced = '';
    list := string_to_array(regexp_replace(spaced, U&'\E000+', ' ', 'g'), ' ');
    term := (select string_agg('''' || left(w, 500) || '''', ' <-> ' order by n) from unnest(list) with ordinality as l (w, n));
    if strpos(spaced, U&'\E000') > 0 and strpos(spaced, ' ') = 0 then
      term := term || ' | ''' || left(replace(spaced, U&'\E000', ''), 500) || '''';
    end if;
    if left(part, 1) = '-' then
      term := '!(' || term || ')';
    else
      positive := true;
      if beginning and i = cardinality(parts) and left(part, 1) <> '"'
        and right(spaced, 1) = right(part, 1) and char_length(list[cardinality(list)]) > 1 then
        term := regexp_replace(term, '''( \|)', ''':*\1') || ':*';
      end if;
      term := '(' || term || ')';
    end if;
    terms := terms || case when terms = '' then '' else ' & ' end || term;
  end loop;
  if not positive then
    return null;
  end if;
  return array_to_string(groups || terms, ' | ')::tsquery;
end
$$;
--> statement-breakpoint
ALTER TABLE "taskloom"."comments" ADD COLUMN "words" "tsvector" GENERATED ALWAYS AS (taskloom.words(text)) STORED;--> statement-breakpoint
ALTER TABLE "taskloom"."tasks" ADD COLUMN "words" "tsvector" GENERATED ALWAYS AS (taskloom.task_words(title, description)) STORED;--> statement-breakpoint
CREATE INDEX "comments_words" ON "taskloom"."comments" USING gin ("user_id","words") WITH (fastupdate=false);--> statement-breakpoint
CREATE INDEX "tasks_words" ON "taskloom"."tasks" USING gin ("user_id","words") WITH (fastupdate=false);--> statement-breakpoint
do $$
begin
  execute format('create index tasks_near on taskloom.tasks using gin (user_id, title_key %I.gin_trgm_ops) with (fastupdate = false)',
    (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_trgm'));
end
$$;
--> statement-breakpoint
-- Tasks that come near to what was looked for, best first, where nothing has all of its words: a word of four letters or
-- more may be spelt otherwise in a title, shorter ones and numbers may not. Takes what search_tasks takes.
do $$
begin
  execute replace($create$
create function taskloom.near_tasks(
  query text, number integer, statuses text[], trashed boolean, archived boolean, project text, labels text[],
  of_priority smallint, due_from timestamptz, due_until timestamptz, parent integer, completed_from timestamptz
) returns table (id integer, rank integer)
language plpgsql stable security definer rows 20
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
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
    group by w order by char_length(w) desc, w limit 6
  );
  swapped constant tsquery[] := array(
    select string_agg('''' || left(w, i - 1) || substr(w, i + 1, 1) || substr(w, i, 1) || substr(w, i + 2) || '''', ' | ')::tsquery
      || ('''' || w || ''':*')::tsquery
    from unnest(long) with ordinality as l (w, n) cross join generate_series(1, char_length(w) - 1) as i
    group by w, n order by n
  );
  home constant integer := (select p.id from taskloom.projects p where p.user_id = me and p.name_key = project);
begin
  if cardinality(long) = 0 or (project is not null and home is null) then
    return;
  end if;
  -- Of its groups of three letters, a long word with two mistakes still has most.
  perform set_config('pg_trgm.word_similarity_threshold', greatest(0.3, 1 - 6.0 / (char_length(long[1]) + 1))::text, true);
  return query
    with near as (
      select t.id, (
        select avg(case when t.words @@ swapped[i] then 0.9 else EXTENSION.word_similarity(long[i], t.title_key) end)
        from generate_series(1, cardinality(long)) as i
      ) as nearness
      from taskloom.tasks t
      where t.user_id = me
      and (long[1] operator(EXTENSION.<%) t.title_key or t.words @@ swapped[1])
      and (short is null or t.words @@ short)
      and not exists (
        select from generate_series(2, cardinality(long)) as i
        where not (EXTENSION.word_similarity(long[i], t.title_key) >= 0.3 or t.words @@ swapped[i])
      )
      and case when trashed then t.deleted_at is not null else t.deleted_at is null end
      and (statuses is null or t.status = any (statuses))
      and (home is null or t.project_id = home)
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
--> statement-breakpoint
-- Tasks of the user whose transaction this is that have all words, or a comment that has, with a rank; at most the newest
-- 501. Every rank is below zero where nothing has them, and these come near. Runs as its definer, for under row-level
-- security a search is not served by an index; it answers ids alone, and who asks joins them with the tasks it may see.
create function taskloom.search_tasks(
  query text, number integer, statuses text[], trashed boolean, archived boolean, project text, labels text[],
  of_priority smallint, due_from timestamptz, due_until timestamptz, parent integer, completed_from timestamptz
) returns table (id integer, rank integer)
language plpgsql stable security definer rows 500
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
  me constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
  beginning constant tsquery := taskloom.search_query(query, true);
  exact constant tsquery := taskloom.search_query(query, false);
  told constant integer[] := array(
    select distinct c.task_id from taskloom.comments c where c.user_id = me and c.words @@ beginning
  );
  home constant integer := (select p.id from taskloom.projects p where p.user_id = me and p.name_key = project);
begin
  if beginning is null or (project is not null and home is null) then
    return;
  end if;
  return query
    with matches as materialized (
      select t.id
      from taskloom.tasks t
      where t.user_id = me
      and (t.words @@ beginning or t.id = any (told) or t.id = number)
      and case when trashed then t.deleted_at is not null else t.deleted_at is null end
      and (statuses is null or t.status = any (statuses))
      and (home is null or t.project_id = home)
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
      limit 501
    )
    select m.id, case when m.id = number then 1000000 else greatest(1, 1000 * greatest(
      ts_rank(array[0.1, 0.2, 0.4, 1], t.words, beginning) + ts_rank(array[0.1, 0.2, 0.4, 1], t.words, exact),
      (
        select max(ts_rank(c.words, beginning) + ts_rank(c.words, exact)) / 2
        from taskloom.comments c
        where m.id = any (told) and c.user_id = me and c.task_id = m.id and c.words @@ beginning
      )
    ))::integer end
    from matches m
    join taskloom.tasks t on t.user_id = me and t.id = m.id;
  if not found and strpos(exact::text, '!') = 0 then
    return query select n.id, n.rank from taskloom.near_tasks(query, number, statuses, trashed, archived, project, labels, of_priority, due_from, due_until, parent, completed_from) n;
  end if;
end
$$;
--> statement-breakpoint
-- Open tasks like one that is about to be added: of the same words, or with its two longest, looked for among 200.
create function taskloom.similar_tasks(title text, key text) returns table (id integer, rank integer)
language plpgsql stable security definer rows 6
set search_path = pg_catalog, pg_temp
as $$
declare
  me constant uuid := nullif(current_setting('app.user_id', true), '')::uuid;
  said constant tsvector := taskloom.words(title);
  telling constant text[] := array(
    select lexeme from unnest(said) where char_length(lexeme) >= 3
    order by char_length(lexeme) desc, lexeme limit 2
  );
  every constant tsquery := (select string_agg('''' || lexeme || '''', ' | ')::tsquery from unnest(said));
begin
  return query
    select t.id, 1000
    from taskloom.tasks t
    where t.user_id = me and t.title_key = key
    and t.status in ('pending', 'in_progress') and t.deleted_at is null
    and not exists (
      select from taskloom.projects p where p.user_id = me and p.id = t.project_id and p.archived_at is not null
    )
    order by t.id desc
    limit 3;
  if cardinality(telling) < 2 then
    return;
  end if;
  return query
    select m.id, least(999, 1000 * m.likeness)::integer
    from (
      select t.id, ts_rank(t.words, every) as likeness
      from taskloom.tasks t
      where t.user_id = me and t.words @@ format('%L:A & %L:A', telling[1], telling[2])::tsquery
      and t.title_key <> key
      and t.status in ('pending', 'in_progress') and t.deleted_at is null
      and not exists (
        select from taskloom.projects p where p.user_id = me and p.id = t.project_id and p.archived_at is not null
      )
      limit 200
    ) m
    order by m.likeness desc, m.id desc
    limit 3;
end
$$;
--> statement-breakpoint
revoke all on function taskloom.search_tasks(text, integer, text[], boolean, boolean, text, text[], smallint, timestamptz, timestamptz, integer, timestamptz) from public;
--> statement-breakpoint
revoke all on function taskloom.near_tasks(text, integer, text[], boolean, boolean, text, text[], smallint, timestamptz, timestamptz, integer, timestamptz) from public;
--> statement-breakpoint
revoke all on function taskloom.similar_tasks(text, text) from public;
--> statement-breakpoint
grant execute on function taskloom.search_tasks(text, integer, text[], boolean, boolean, text, text[], smallint, timestamptz, timestamptz, integer, timestamptz) to taskloom_app;
--> statement-breakpoint
grant execute on function taskloom.similar_tasks(text, text) to taskloom_app;
