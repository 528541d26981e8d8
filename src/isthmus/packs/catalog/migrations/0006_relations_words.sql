-- What goes with a SKU: what fits it, what stands for it, what it is sold together with. The group's, as SKUs are.
create table catalog.relation (
    sku text not null references catalog.sku,
    kind text not null check (kind in ('accessory', 'replacement', 'bundle')),
    to_sku text not null references catalog.sku check (to_sku <> sku),
    quantity integer not null check (quantity > 0),
    place integer not null,
    primary key (sku, kind, to_sku)
);
select isthmus.share('catalog.relation');

-- The words that titles and brands are made of, each with its groups of three letters: what is misspelt is near one of
-- them. Arrays and their index are PostgreSQL's own, so that it works on every server and nobody has to install a thing.
create function catalog.grams(word text) returns text[] language sql immutable parallel safe
return array(select distinct substr('  ' || word || ' ', place, 3) from generate_series(1, length(word) + 1) as place);

create table catalog.word (
    word text primary key,
    grams text[] not null
);
select isthmus.share('catalog.word');

create function catalog.words_in(said text) returns setof text language sql immutable parallel safe
begin atomic
    select distinct word from catalog.written(catalog.spaced(catalog.folded(said))) as word
    where word ~ '^[a-z]{4,}$' and length(word) <= 40;
end;

insert into catalog.word (word, grams)
select word, catalog.grams(word)
from (select distinct catalog.words_in(title || ' ' || brand) as word from catalog.product) as known;
create index word_by_grams on catalog.word using gin (grams);

-- What was probably meant: each word that nothing is called like, nor begins with, as the word that it is nearest to.
create function catalog.spelled(said text) returns text language sql stable parallel safe
begin atomic
    select string_agg(coalesce(near.word, asked.word), ' '
        order by strpos(catalog.folded(said), asked.word), asked.word)
    from catalog.written(catalog.spaced(catalog.folded(said))) as asked (word)
    left join lateral (
        select known.word from catalog.word known
        where asked.word ~ '^[a-z]{4,}$' and known.grams && catalog.grams(asked.word)
            and not exists (select from catalog.word same where same.word ^@ asked.word)
            and (select count(*) from unnest(known.grams) as gram where gram = any (catalog.grams(asked.word))) * 2.5
                >= greatest(cardinality(known.grams), cardinality(catalog.grams(asked.word)))
        order by (select count(*) from unnest(known.grams) as gram where gram = any (catalog.grams(asked.word)))::real
                / greatest(cardinality(known.grams), cardinality(catalog.grams(asked.word))) desc, known.word
        limit 1) as near on true;
end;
