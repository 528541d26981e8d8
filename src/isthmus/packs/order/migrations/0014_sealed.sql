-- An order's contact that is kept encrypted under the order's key: of `address` country and region stay, `contact_email`
-- is empty, and is found by its keyed hash. Orders so far are sealed by `isthmus security encrypt`, where a company wants
-- that.
alter table "order".orders add column sealed_address bytea, add column sealed_email bytea, add column email_hash bytea;
create index orders_of_email_hash on "order".orders (front_end, email_hash, placed_at desc, order_id desc)
    where email_hash is not null;
