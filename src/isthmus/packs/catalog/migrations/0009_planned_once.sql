-- As before, and planned once a connection instead of once a search: a body in SQL is planned whenever it is called.
create or replace function catalog.found_enriched(query tsquery, at_most integer) returns setof text
    language plpgsql stable security definer set search_path = pg_catalog
as $$
begin
    return query select listing.sku from catalog.listing
        where listing.front_end = current_setting('isthmus.front_end', true) and listing.enriched_words @@ query
        limit at_most;
end $$;
