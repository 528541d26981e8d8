-- Which units are in a parcel, where the goods have serial numbers.
alter table fulfilment.parcel add column serials jsonb not null default '[]';
