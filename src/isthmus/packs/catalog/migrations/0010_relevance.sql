-- What a SKU is found by says where it stands, so that a search can put goods in order: whole article numbers (A), the
-- title and parts of numbers (B), brand and category (C), the description (D). Searches of the release before find by
-- it as by what there was.
create function catalog.placed(forms text[]) returns tsvector language sql immutable strict parallel safe
return coalesce((select string_agg('''' || replace(replace(form, '\', '\\'), '''', '''''') || ''':1', ' ')
    from unnest(forms) as form where form <> ''), '')::tsvector;

-- The forms in which a folded text is found: its words, without their signs, their parts, and signs of scripts without spaces.
create function catalog.forms(said text) returns text[] language sql immutable strict parallel safe
begin atomic
    with spaced as (select catalog.spaced(said) as text),
    word as (select catalog.written(text) as word from spaced)
    select array(
        select word from word
        union select translate(word, '-./_:+', '') from word
        union select left(part, 64) from spaced, unnest(catalog.parts(text)) as part
        union select left(part, 64) from
                unnest(catalog.parts(catalog.spaced(translate(said, '''’‘ʼ`´', '      ')))) as part
            where said ~ '[''’‘ʼ`´]'
        union select catalog.signs(said));
end;

create or replace function catalog.words_of(title text, brand text, category text, description text, code text, sku text)
    returns tsvector language sql immutable parallel safe
begin atomic
    with said as (
        select catalog.folded(concat_ws(' ', code, sku)) as numbers, catalog.folded(concat_ws(' ', title, code, sku)) as title,
            catalog.folded(concat_ws(' ', brand, category)) as kind,
            translate(catalog.folded(description), '''’‘ʼ`´', '') as described
    )
    select setweight(catalog.placed(array(
            select word from catalog.written(catalog.spaced(numbers)) as word
            union select translate(word, '-./_:+', '') from catalog.written(catalog.spaced(numbers)) as word)), 'A')
        || setweight(catalog.placed(catalog.forms(title)) || to_tsvector('pg_catalog.english', title), 'B')
        || setweight(catalog.placed(catalog.forms(kind)) || to_tsvector('pg_catalog.english', kind), 'C')
        || setweight(catalog.placed(array(select catalog.signs(described)))
            || to_tsvector('pg_catalog.english', described), 'D')
    from said;
end;

-- What is asked for, word by word: as it is written, and by how it begins.
create function catalog.asked(said text, language text) returns table (whole tsquery, wide tsquery)
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

create or replace function catalog.sought(said text, is_wide boolean, language text) returns tsquery
    language sql immutable parallel safe
begin atomic
    select string_agg('(' || case when is_wide then wide else whole end::text || ')', ' & ')::tsquery
    from catalog.asked(said, language);
end;

-- As before; what the front end writes itself is its title too.
create or replace function catalog.shown(of_front_end text, of_sku text)
    returns table (product_id uuid, title text, category text, brand text, seller text, is_current boolean,
                   enriched_words tsvector, enriched_attributes jsonb)
    language sql stable parallel safe
begin atomic
    select product.product_id, coalesce(own.title, product.title), coalesce(own.category, near.code, product.category),
        product.brand, product.seller, sku.is_current,
        case when own.product_id is not null then
            catalog.words_of(coalesce(own.title, product.title), product.brand,
                coalesce(place.code || ' ' || place.name, near.code, product.category),
                coalesce(own.description, product.description), product.code, sku.sku)
            || setweight(to_tsvector(catalog.stems(own.language), catalog.folded(coalesce(own.title, product.title))), 'B')
            || setweight(to_tsvector(catalog.stems(own.language), catalog.folded(coalesce(place.name, ''))), 'C')
            || setweight(to_tsvector(catalog.stems(own.language),
                catalog.folded(coalesce(own.description, product.description))), 'D')
        end,
        case when own.product_id is not null then
            product.attributes || own.attributes || sku.attributes || coalesce(own.variants -> sku.sku, '{}')
        end
    from catalog.sku
    join catalog.product on product.product_id = sku.product_id
    left join catalog.enrichment own on own.front_end = of_front_end and own.product_id = sku.product_id
    left join catalog.front_end_category place on place.front_end = of_front_end and place.code = own.category
    left join lateral (
        select other.code from catalog.category way
        join catalog.front_end_category other on other.front_end = of_front_end and other.code = any (way.path)
        where way.code = product.category order by array_position(way.path, other.code) desc limit 1) near on true
    where sku.sku = of_sku;
end;

update catalog.sku set words = catalog.words_of(title, brand, category, description, code, sku.sku)
from catalog.product where product.product_id = sku.product_id;
update catalog.listing set enriched_words = (select shown.enriched_words from catalog.shown(front_end, sku) as shown)
where enriched_words is not null;

-- Where very many goods have a word, those that have it in their title come first, and are found by an index of their own.
create index sku_by_title on catalog.sku using gin (ts_filter(words, '{b}'));
create index listing_by_enriched_title on catalog.listing using gin (ts_filter(enriched_words, '{b}'))
    where enriched_words is not null;
create function catalog.found_titled(query tsquery, at_most integer) returns setof text
    language plpgsql stable security definer set search_path = pg_catalog
as $$
begin
    return query select listing.sku from catalog.listing
        where listing.front_end = current_setting('isthmus.front_end', true)
            and enriched_words is not null and ts_filter(listing.enriched_words, '{b}') @@ query
        limit at_most;
end $$;
revoke execute on function catalog.found_titled(tsquery, integer) from public;
grant execute on function catalog.found_titled(tsquery, integer) to isthmus_app;

-- What search services found, by the hash of what they were asked: SKUs, and no words.
create table catalog.search_answer (
    front_end text not null,
    digest bytea not null,
    asked_at timestamptz not null,
    service text not null,
    answer bytea not null,  -- JSON, as it is read again
    primary key (front_end, digest, asked_at)
);
select isthmus.guard('catalog.search_answer');
create index search_answer_by_age on catalog.search_answer (front_end, asked_at);
