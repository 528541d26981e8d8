-- What is asked for as before, planned once a connection; most words are letters alone, and have no signs or parts.
create function catalog.asked_in_any_form(said text, language text) returns table (whole tsquery, wide tsquery)
    language sql immutable parallel safe
begin atomic
    with word as materialized (
        select word, array(select catalog.signs(word)) as signs, catalog.parts(regexp_replace(word,
                '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+', ' ', 'g')) as parts,
            nullif(plainto_tsquery('pg_catalog.english', word)::text, '') as stem,
            nullif(plainto_tsquery(catalog.stems(language), word)::text, '') as other_stem
        from catalog.written(catalog.spaced(catalog.folded(said))) as word
    ),
    sought as (
        select signs = '{}' and (stem is null or other_stem is null) and word ~ '^[a-z]+$' as is_empty, ending,
            (case when signs <> '{}' then
                array_to_string(array(select quote_literal(sign) from unnest(signs) as sign
                    union all select quote_literal(part) || ending from unnest(parts) as part), ' & ')
            else
                array_to_string(array(
                    select quote_literal(one) || ending from unnest(array[word, array_to_string(parts, '')]) as one where one <> ''
                    union all select '(' || array_to_string(array(
                            select quote_literal(part) || ending from unnest(parts) as part), ' & ') || ')'
                        where cardinality(parts) > 1
                    union all select '(' || stem || ')' where stem is not null
                    union all select '(' || other_stem || ')' where other_stem <> stem), ' | ')
            end)::tsquery as query, word
        from word cross join (values (''), (':*')) as way (ending)
    )
    select one.query, other.query from sought as one join sought as other using (word)
    where one.ending = '' and other.ending = ':*'
        and (not one.is_empty or not exists (select from sought where not is_empty));
end;

create or replace function catalog.asked(said text, language text) returns table (whole tsquery, wide tsquery)
    language plpgsql immutable parallel safe
as $$
declare
    words text[] := array(select written from catalog.written(catalog.spaced(catalog.folded(said))) as written);
    stems regconfig := catalog.stems(language);
    word text;
    stem text;
    other_stem text;
    is_empty boolean := true;  -- of words that every text has
begin
    if array_to_string(words, '') !~ '^[a-z]*$' then
        return query select * from catalog.asked_in_any_form(said, language);
        return;
    end if;
    foreach word in array words loop
        stem := plainto_tsquery('pg_catalog.english', word);
        other_stem := plainto_tsquery(stems, word);
        if stem <> '' and other_stem <> '' then
            is_empty := false;
            whole := quote_literal(word) || ' | ' || stem || ' | ' || other_stem;
            wide := quote_literal(word) || ':* | ' || stem || ' | ' || other_stem;
            return next;
        end if;
    end loop;
    if is_empty then
        return query select * from catalog.asked_in_any_form(said, language);
    end if;
end $$;

-- What was probably meant, as before, and null where no word is another one. The groups of three letters of what is asked
-- are made once, and words that are much longer or shorter are not compared: they could not be near.
create index word_by_beginning on catalog.word (word text_pattern_ops);

create or replace function catalog.spelled(said text) returns text language plpgsql stable parallel safe
as $$
declare
    here text := current_setting('isthmus.front_end', true);
    folded text := catalog.folded(said);
    asked text;
    looked_for text[];
    near text;
    words text[] := '{}';
    is_other boolean := false;
begin
    for asked in
        select word from catalog.written(catalog.spaced(folded)) as word order by strpos(folded, word), word
    loop
        near := null;
        if asked ~ '^[a-z]{4,}$'
            and not exists (select from catalog.word where word ~>=~ asked and word ~<~ (asked || '{'))
            and not exists (select from catalog.enrichment_word where front_end = here and word ^@ asked)
        then
            looked_for := catalog.grams(asked);
            select known.word into near from (
                select word, word.grams, cardinality(word.grams) as size from catalog.word where word.grams && looked_for
                union all
                select word, own.grams, cardinality(own.grams) from catalog.enrichment_word own
                where front_end = here and own.grams && looked_for) known
            cross join lateral (
                select count(*) as count from unnest(known.grams) as gram where gram = any (looked_for)) as shared
            where known.size * 2 <= cardinality(looked_for) * 5 and cardinality(looked_for) * 2 <= known.size * 5
                and shared.count * 2.5 >= greatest(known.size, cardinality(looked_for))
            order by shared.count::real / greatest(known.size, cardinality(looked_for)) desc, known.word
            limit 1;
        end if;
        is_other := is_other or near is not null;
        words := words || coalesce(near, asked);
    end loop;
    return case when is_other then array_to_string(words, ' ') end;
end $$;

-- What a search that found nothing goes on with: null where some goods have words that begin so, else what was probably
-- meant, which is empty where nothing is near. It takes the index: for one row that some have, PostgreSQL would read all.
create function catalog.otherwise(said text, sought tsquery) returns text language plpgsql stable parallel safe
    set enable_seqscan = off
as $$
begin
    if exists (select from catalog.sku where words @@ sought) or exists (select from catalog.found_enriched(sought, 1)) then
        return null;
    end if;
    return coalesce(catalog.spelled(said), '');
end $$;
