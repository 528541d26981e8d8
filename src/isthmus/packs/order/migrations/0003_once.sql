-- A group is placed once: each part of it is one order.
create unique index orders_of_group_once on "order".orders (front_end, group_id, part);
drop index "order".orders_of_group;
