-- Orders of guests are found by their address.
create index orders_of_email on "order".orders (front_end, lower(contact_email), placed_at desc, order_id desc)
    where contact_email <> '';
