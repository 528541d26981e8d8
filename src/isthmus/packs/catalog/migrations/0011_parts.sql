-- A seller's people see what that seller sells. Names of categories, words and SKUs say nothing by themselves: they are
-- read for what is listed.
select isthmus.wall('catalog.listing', $$isthmus.is_part('seller/' || seller)$$);
select isthmus.wall('catalog.product', $$isthmus.is_part('seller/' || seller)$$);
select isthmus.wall('catalog.seller', $$isthmus.is_part('seller/' || code)$$);
select isthmus.wall('catalog.enrichment', 'exists (select from catalog.product
    where product.product_id = enrichment.product_id)');
select isthmus.wall('catalog.sku');
select isthmus.wall('catalog.category');
select isthmus.wall('catalog.front_end_category');
select isthmus.wall('catalog.word');
select isthmus.wall('catalog.enrichment_word');
select isthmus.wall('catalog.search_answer');
grant execute on function catalog.found_enriched(tsquery, integer) to isthmus_part;
grant execute on function catalog.found_titled(tsquery, integer) to isthmus_part;
