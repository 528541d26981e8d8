-- What a front end says of a SKU that it lists, by attributes of its own.
alter table catalog.listing add column attributes jsonb not null default '{}';
