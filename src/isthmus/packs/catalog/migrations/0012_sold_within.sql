-- Goods are within a part where the session's front end offers them as that seller's: what packs keep by SKU is asked so.
create function catalog.is_sold_within(of_front_end text, of_sku text) returns boolean
    language sql stable security definer set search_path = ''
    return of_front_end = current_setting('isthmus.front_end', true) and exists (
        select from catalog.listing
        where listing.front_end = of_front_end and listing.sku = of_sku
            and isthmus.is_part('seller/' || listing.seller));
select isthmus.part_kind('sku', 'catalog.is_sold_within(text, text)');
