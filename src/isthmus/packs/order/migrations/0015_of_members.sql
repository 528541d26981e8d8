-- Orders of guests are on no member's list.
create index orders_of_members on "order".orders (front_end, member_id, placed_at desc, order_id desc)
    where member_id is not null;
-- contract: the index above finds what it found
drop index "order".orders_of_member;
