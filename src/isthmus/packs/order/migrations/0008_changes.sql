-- What was added to an order after it was paid is an order of its own, which names the one that it belongs to.
alter table "order".orders add column supplements uuid;
create index orders_supplements on "order".orders (front_end, supplements) where supplements is not null;
