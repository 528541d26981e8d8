-- What a category says of the attributes of its goods, where a name was all that it could say before.
alter table catalog.category add column attributes jsonb not null default '[]';
update catalog.category set attributes = (
    select jsonb_agg(jsonb_build_object('name', name, 'is_required', true)) from unnest(required) as name)
where required <> '{}';
alter table catalog.category drop column required;

alter table catalog.seller add column is_suspended boolean not null default false;
create index seller_suspended on catalog.seller (code) where is_suspended;

-- `digest` is of all that a draft says, so that the same draft again is seen to change nothing.
alter table catalog.product add column digest uuid;

create table catalog.product_version (
    product_id uuid not null references catalog.product (product_id),
    version integer not null check (version >= 1),
    draft jsonb not null,
    changed_at timestamptz not null,
    changed_by text not null,
    changed_in text not null,
    primary key (product_id, version)
);
select isthmus.share('catalog.product_version');
revoke update, delete on catalog.product_version from isthmus_app;

-- What is searched by words and attributes stands with the SKU, in a table of the whole group: behind row-level
-- security PostgreSQL uses an index only for operators that leak nothing, and `@@` and `@>` are none of those.
create function catalog.words_of(title text, brand text, category text, description text, code text, sku text)
    returns tsvector language sql immutable parallel safe
return setweight(to_tsvector('pg_catalog.english', title), 'A')
    || setweight(to_tsvector('pg_catalog.english', brand), 'B')
    || setweight(to_tsvector('pg_catalog.english', translate(category, '/-_.:', '     ')), 'C')
    || setweight(to_tsvector('pg_catalog.simple', code || ' ' || sku), 'A')
    || setweight(to_tsvector('pg_catalog.english', description), 'D');

alter table catalog.sku add column words tsvector not null default '';
alter table catalog.sku add column all_attributes jsonb not null default '{}';
update catalog.sku set
    words = catalog.words_of(title, brand, category, description, code, sku.sku),
    all_attributes = product.attributes || sku.attributes
from catalog.product where product.product_id = sku.product_id;
create index sku_by_words on catalog.sku using gin (words);
create index sku_by_attributes on catalog.sku using gin (all_attributes jsonb_path_ops);

drop index catalog.listing_by_words;
alter table catalog.listing drop column words;
alter table catalog.listing add column product_id uuid;
alter table catalog.listing add column is_current boolean not null default true;
update catalog.listing set product_id = sku.product_id, is_current = sku.is_current
from catalog.sku where sku.sku = listing.sku;
alter table catalog.listing alter column product_id set not null;
create index listing_of_product on catalog.listing (product_id);

-- Lists are ordered and filtered by copies of what the product says, and one import changes the copies of every
-- front end: with the owner's rights, since a call sees its own front end's rows only. It writes nothing else.
create function catalog.refresh_listings(changed uuid[]) returns void
    language sql security definer set search_path = pg_catalog
begin atomic
    with stale as (
        select listing.front_end, listing.sku, product.title, product.category, product.brand, product.seller,
               sku.is_current
        from catalog.listing
        join catalog.sku on sku.sku = listing.sku
        join catalog.product on product.product_id = sku.product_id
        where listing.product_id = any (changed)
          and (listing.title, listing.category, listing.brand, listing.seller, listing.is_current)
              is distinct from (product.title, product.category, product.brand, product.seller, sku.is_current)
        order by listing.front_end, listing.sku for update of listing  -- one order of locks
    )
    update catalog.listing set title = stale.title, category = stale.category, brand = stale.brand,
        seller = stale.seller, is_current = stale.is_current
    from stale where listing.front_end = stale.front_end and listing.sku = stale.sku;
end;
revoke execute on function catalog.refresh_listings(uuid[]) from public;
grant execute on function catalog.refresh_listings(uuid[]) to isthmus_app;
