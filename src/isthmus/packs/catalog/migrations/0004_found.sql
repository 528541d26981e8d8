-- Names are kept with their letters composed and no space at either end, so that one name is one name.
create function catalog.composed(name text) returns text language sql immutable strict parallel safe
return btrim(normalize(name, nfc));
insert into catalog.category (code, name, parent, attributes)
select distinct on (catalog.composed(code)) catalog.composed(code), catalog.composed(name), catalog.composed(parent), attributes
from catalog.category where code <> catalog.composed(code)
on conflict (code) do nothing;
update catalog.category set name = catalog.composed(name), parent = catalog.composed(parent)
where (name, parent) is distinct from (catalog.composed(name), catalog.composed(parent));
update catalog.product set title = catalog.composed(title), category = catalog.composed(category),
    brand = catalog.composed(brand), seller = catalog.composed(seller)
where (title, category, brand, seller) is distinct from
    (catalog.composed(title), catalog.composed(category), catalog.composed(brand), catalog.composed(seller));
-- contract: products and categories below them were moved to the code that they are composed to, and nobody names them
delete from catalog.category where code <> catalog.composed(code);
update catalog.seller set code = catalog.composed(code), name = catalog.composed(name)
where code = catalog.composed(code)
    or not exists (select from catalog.seller other where other.code = catalog.composed(seller.code));
select catalog.refresh_listings(array_agg(product_id)) from catalog.product;
set constraints all immediate;  -- a table with references still to be checked cannot be altered

-- A category means itself and everything below it. `path` says so: the codes from the top to the category itself.
alter table catalog.category add column path text[] not null default '{}';
with recursive up (start, code, parent, depth) as (
    select code, code, parent, 0 from catalog.category
    union all
    select start, above.code, above.parent, depth + 1 from up join catalog.category above on above.code = up.parent
    where depth < 16
)
update catalog.category set path = way.path
from (select start, array_agg(code order by depth desc) as path from up group by start) as way
where way.start = category.code;
-- The levels by which reports group, each with all that is below it.
alter table catalog.category
    add column level_1 text generated always as (path[1]) stored,
    add column level_2 text generated always as (path[2]) stored,
    add column level_3 text generated always as (path[3]) stored,
    add column level_4 text generated always as (path[4]) stored;
create index category_within on catalog.category using gin (path);
create view catalog.within as select category.code as category, above.code
    from catalog.category cross join unnest(category.path) as above (code);

-- What is searched for is compared without accents, case and width, composed or not: `Crème` is `creme`.
create function catalog.folded(said text) returns text language sql immutable strict parallel safe
return case when octet_length(said) = length(said) then lower(said) else translate(
    replace(replace(replace(replace(
        lower(normalize(regexp_replace(normalize(said, nfkd), '[\u0300-\u036f]', '', 'g'), nfkc)),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
    'øłđðı', 'olddi') end;

-- Words with one space between them: without apostrophes (`It's` is `its`), and apart at signs of no article number.
create function catalog.spaced(said text) returns text language sql immutable strict parallel safe
return regexp_replace(translate(said, '''’‘ʼ`´', ''),
    '[\u0001- !"#$%&()*,;<=>?@\[\\\]^{|}~\u00a0-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u2000-\u206f\u3000-\u3004\u3008-\u3020\u30fb]+',
    ' ', 'g');

-- The words of such a text as they are written, without signs at either end; more than 64 letters are no word.
create function catalog.written(said text) returns setof text language sql immutable strict parallel safe
begin atomic
    select distinct left(trim(both '-./_:+' from word), 64) from unnest(string_to_array(said, ' ')) as word
    where trim(both '-./_:+' from word) <> '';
end;

-- The parts of words: at their signs, and where letters and figures meet.
create function catalog.parts(said text) returns text[] language sql immutable strict parallel safe
return array_remove(string_to_array(regexp_replace(regexp_replace(regexp_replace(
    said, '[-./_:+]+', ' ', 'g'), '([0-9])([^0-9 ])', '\1 \2', 'g'), '([^0-9 ])([0-9])', '\1 \2', 'g'), ' '), '');

-- Scripts without spaces between words are found by each sign, and by each two that follow each other.
create function catalog.signs(word text) returns setof text language sql immutable strict parallel safe
begin atomic
    select distinct substr(run[1], at, size)
    from regexp_matches(case when octet_length(word) = length(word) then '' else word end,
            '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+', 'g') as run,
        generate_series(1, length(run[1])) as at, generate_series(1, 2) as size
    where at + size - 1 <= length(run[1]);
end;

-- What a SKU is found by: the words of its names in all these forms, and those of its description by their stems.
create or replace function catalog.words_of(title text, brand text, category text, description text, code text, sku text)
    returns tsvector language sql immutable parallel safe
begin atomic
    with named as (select catalog.folded(concat_ws(' ', title, brand, category, code, sku)) as text),
    said as (select catalog.spaced(text) as text from named),
    word as (select catalog.written(text) as word from said),
    told as (select translate(catalog.folded(description), '''’‘ʼ`´', '') as text)
    select array_to_tsvector(array(
        select word from word
        union select translate(word, '-./_:+', '') from word
        union select left(part, 64) from said, unnest(catalog.parts(text)) as part
        union select left(part, 64) from named,
                unnest(catalog.parts(catalog.spaced(translate(text, '''’‘ʼ`´', '      ')))) as part
            where text ~ '[''’‘ʼ`´]'
        union select catalog.signs(text) from named
        union select catalog.signs(text) from told
        union select unnest(tsvector_to_array(to_tsvector('pg_catalog.english', named.text || ' ' || told.text)))
            from named, told
        except select ''));
end;

-- What is asked for: all words, each as it is written, joined, in parts, or by its English stem; `is_wide`: by how they
-- begin. Words that say nothing by themselves (`the`) count where there are no others.
create function catalog.sought(said text, is_wide boolean) returns tsquery language sql immutable parallel safe
begin atomic
    with word as (
        select word, array(select catalog.signs(word)) as signs, catalog.parts(regexp_replace(word,
                '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]+', ' ', 'g')) as parts,
            nullif(plainto_tsquery('pg_catalog.english', word)::text, '') as stem
        from catalog.written(catalog.spaced(catalog.folded(said))) as word
    ),
    asked as (
        select signs = '{}' and stem is null and word ~ '^[a-z]+$' as is_empty,
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
                    union all select '(' || stem || ')' where stem is not null), ' | ')
            end as sought
        from word
    )
    select string_agg('(' || sought || ')', ' & ')::tsquery from asked
    where not is_empty or not exists (select from asked where not is_empty);
end;

update catalog.sku set words = catalog.words_of(title, brand, category, description, code, sku.sku)
from catalog.product where product.product_id = sku.product_id;
