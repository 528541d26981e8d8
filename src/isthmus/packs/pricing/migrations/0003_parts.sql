-- Who is confined to a seller's goods sees and sets prices of these.
select isthmus.wall('pricing.price', $$isthmus.is_within('sku', front_end, sku)$$);
