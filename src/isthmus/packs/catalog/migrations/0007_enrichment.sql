-- What a front end says of the group's products in its own words, and the tree in which it shows them. Both are its own:
-- neither another front end nor the group sees them.
alter table catalog.product add column pictures jsonb not null default '[]';

create table catalog.front_end_category (
    front_end text not null,
    code text not null,
    name text not null,
    parent text,
    path text[] not null default '{}',  -- the codes from the top to the category itself
    primary key (front_end, code),
    foreign key (front_end, parent) references catalog.front_end_category deferrable initially deferred
);
select isthmus.guard('catalog.front_end_category');
create index front_end_category_below on catalog.front_end_category (front_end, parent, name);

create table catalog.enrichment (
    front_end text not null,
    product_id uuid not null references catalog.product,
    title text,
    description text,
    category text,  -- of its own tree
    language text not null,
    attributes jsonb not null,
    variants jsonb not null,  -- attributes by SKU
    pictures jsonb,
    of_version integer not null,  -- of the product, as it was when this was said of it
    changed_at timestamptz not null,
    changed_by text not null,
    primary key (front_end, product_id),
    foreign key (front_end, category) references catalog.front_end_category
);
select isthmus.guard('catalog.enrichment');
create index enrichment_placed on catalog.enrichment (front_end, category);

-- The words of its titles, for what is misspelt: in the table of the group others would be told of them.
create table catalog.enrichment_word (
    front_end text not null,
    word text not null,
    grams text[] not null,
    primary key (front_end, word)
);
select isthmus.guard('catalog.enrichment_word');

alter table catalog.listing add column enriched_words tsvector, add column enriched_attributes jsonb;
create index listing_by_enriched_words on catalog.listing using gin (enriched_words) where enriched_words is not null;

-- By which stems words of a language are found; letter by letter where PostgreSQL knows none.
create function catalog.stems(language text) returns regconfig language sql immutable parallel safe
return case lower(split_part(language, '-', 1))
    when '' then 'pg_catalog.english'::regconfig when 'en' then 'pg_catalog.english'::regconfig
    when 'da' then 'pg_catalog.danish'::regconfig when 'de' then 'pg_catalog.german'::regconfig
    when 'es' then 'pg_catalog.spanish'::regconfig when 'fi' then 'pg_catalog.finnish'::regconfig
    when 'fr' then 'pg_catalog.french'::regconfig when 'hu' then 'pg_catalog.hungarian'::regconfig
    when 'it' then 'pg_catalog.italian'::regconfig when 'nb' then 'pg_catalog.norwegian'::regconfig
    when 'nl' then 'pg_catalog.dutch'::regconfig when 'no' then 'pg_catalog.norwegian'::regconfig
    when 'pt' then 'pg_catalog.portuguese'::regconfig when 'ro' then 'pg_catalog.romanian'::regconfig
    when 'ru' then 'pg_catalog.russian'::regconfig when 'sv' then 'pg_catalog.swedish'::regconfig
    when 'tr' then 'pg_catalog.turkish'::regconfig else 'pg_catalog.simple'::regconfig end;

-- As `sought` of two, and by the stems of the language that the front end writes in too.
create function catalog.sought(said text, is_wide boolean, language text) returns tsquery
    language sql immutable parallel safe
begin atomic
    with word as (
        select word, array(select catalog.signs(word)) as signs, catalog.parts(regexp_replace(word,
                '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+', ' ', 'g')) as parts,
            nullif(plainto_tsquery('pg_catalog.english', word)::text, '') as stem,
            nullif(plainto_tsquery(catalog.stems(language), word)::text, '') as other_stem
        from catalog.written(catalog.spaced(catalog.folded(said))) as word
    ),
    asked as (
        select signs = '{}' and (stem is null or other_stem is null) and word ~ '^[a-z]+$' as is_empty,
            case when signs <> '{}' then
                array_to_string(array(select quote_literal(sign) from unnest(signs) as sign
                    union all select quote_literal(part) || case when is_wide then ':*' else '' end from unnest(parts) as part), ' & ')
            else
                array_to_string(array(
                    select quote_literal(one) || case when is_wide then ':*' else '' end
                        from unnest(array[word, array_to_string(parts, '')]) as one where one <> ''
                    union all select '(' || array_to_string(array(
                            select quote_literal(part) || case when is_wide then ':*' else '' end from unnest(parts) as part), ' & ') || ')'
                        where cardinality(parts) > 1
                    union all select '(' || stem || ')' where stem is not null
                    union all select '(' || other_stem || ')' where other_stem <> stem), ' | ')
            end as sought
        from word
    )
    select string_agg('(' || sought || ')', ' & ')::tsquery from asked
    where not is_empty or not exists (select from asked where not is_empty);
end;

-- How a front end shows a SKU: by its own words and in its own tree where it has them, else as the group has it. Goods that
-- nobody placed are in the nearest category of the group's tree that the front end's tree has under the same code.
create function catalog.shown(of_front_end text, of_sku text)
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
            || strip(to_tsvector(catalog.stems(own.language), catalog.folded(coalesce(own.title, product.title) || ' '
                || coalesce(place.name, '') || ' ' || coalesce(own.description, product.description))))
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

-- Lists of all front ends show an import at once. Whoever changes its own tree is waited for, in a statement before the one
-- that looks at it, and waits for imports.
create or replace function catalog.refresh_listings(changed uuid[]) returns void
    language plpgsql security definer set search_path = pg_catalog
as $$
begin
    perform pg_advisory_xact_lock_shared(hashtextextended('catalog.front_end_category', 0));
    with stale as (
        select listing.front_end, listing.sku, shown.*
        from catalog.listing cross join lateral catalog.shown(listing.front_end, listing.sku) as shown
        where listing.product_id = any (changed)
          and (listing.title, listing.category, listing.brand, listing.seller, listing.is_current,
               listing.enriched_words, listing.enriched_attributes)
              is distinct from (shown.title, shown.category, shown.brand, shown.seller, shown.is_current,
                                shown.enriched_words, shown.enriched_attributes)
        order by listing.front_end, listing.sku for update of listing  -- one order of locks
    )
    update catalog.listing set title = stale.title, category = stale.category, brand = stale.brand,
        seller = stale.seller, is_current = stale.is_current, enriched_words = stale.enriched_words,
        enriched_attributes = stale.enriched_attributes
    from stale where listing.front_end = stale.front_end and listing.sku = stale.sku;
end $$;

-- The lists of one front end, after it changed its own words or tree: of some products, or of all (null).
create function catalog.refresh_front_end(of_front_end text, changed uuid[]) returns void language sql
begin atomic
    with stale as (
        select listing.sku, shown.*
        from catalog.listing cross join lateral catalog.shown(listing.front_end, listing.sku) as shown
        where listing.front_end = of_front_end and (changed is null or listing.product_id = any (changed))
          and (listing.title, listing.category, listing.enriched_words, listing.enriched_attributes)
              is distinct from (shown.title, shown.category, shown.enriched_words, shown.enriched_attributes)
        order by listing.sku for update of listing
    )
    update catalog.listing set title = stale.title, category = stale.category,
        enriched_words = stale.enriched_words, enriched_attributes = stale.enriched_attributes
    from stale where listing.front_end = of_front_end and listing.sku = stale.sku;
end;

-- Where categories of the group are moved, goods that front ends with trees of their own did not place move there too.
create function catalog.refresh_moved(codes text[]) returns void
    language plpgsql security definer set search_path = pg_catalog
as $$
begin
    perform pg_advisory_xact_lock_shared(hashtextextended('catalog.front_end_category', 0));
    if exists (select from catalog.front_end_category) then
        perform catalog.refresh_listings(array(
            select distinct listing.product_id from catalog.listing
            join catalog.product on product.product_id = listing.product_id
            join catalog.category way on way.code = product.category and way.path && codes
            where listing.front_end in (select front_end from catalog.front_end_category)));
    end if;
end $$;
revoke execute on function catalog.refresh_moved(text[]) from public;
grant execute on function catalog.refresh_moved(text[]) to isthmus_app;

-- Which of its SKUs a front end finds by its own words: with the owner's rights, since behind row-level security PostgreSQL
-- uses an index only for operators that leak nothing. It tells a call of its own front end's rows only.
create function catalog.found_enriched(query tsquery, at_most integer) returns setof text
    language sql stable security definer set search_path = pg_catalog
begin atomic
    select sku from catalog.listing
    where front_end = current_setting('isthmus.front_end', true) and enriched_words @@ query limit at_most;
end;
revoke execute on function catalog.found_enriched(tsquery, integer) from public;
grant execute on function catalog.found_enriched(tsquery, integer) to isthmus_app;

-- What was probably meant, by the words of the group and by those of the front end that asks.
create or replace function catalog.spelled(said text) returns text language sql stable parallel safe
begin atomic
    select string_agg(coalesce(near.word, asked.word), ' '
        order by strpos(catalog.folded(said), asked.word), asked.word)
    from catalog.written(catalog.spaced(catalog.folded(said))) as asked (word)
    left join lateral (
        select known.word from (
            select word, grams from catalog.word
            where asked.word ~ '^[a-z]{4,}$' and grams && catalog.grams(asked.word)
            union all
            select word, grams from catalog.enrichment_word
            where front_end = current_setting('isthmus.front_end', true)
                and asked.word ~ '^[a-z]{4,}$' and grams && catalog.grams(asked.word)) known
        where not exists (select from catalog.word same where same.word ^@ asked.word)
            and not exists (select from catalog.enrichment_word same
                where same.front_end = current_setting('isthmus.front_end', true) and same.word ^@ asked.word)
            and (select count(*) from unnest(known.grams) as gram where gram = any (catalog.grams(asked.word))) * 2.5
                >= greatest(cardinality(known.grams), cardinality(catalog.grams(asked.word)))
        order by (select count(*) from unnest(known.grams) as gram where gram = any (catalog.grams(asked.word)))::real
                / greatest(cardinality(known.grams), cardinality(catalog.grams(asked.word))) desc, known.word
        limit 1) as near on true;
end;
