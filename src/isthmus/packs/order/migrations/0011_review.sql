-- Until when somebody may look at an order before it is paid for. Meanwhile it keeps its goods, and is not let run out;
-- money that is held for it is neither taken nor let go.
alter table "order".orders add column review_until timestamptz;
create index orders_in_review on "order".orders (front_end, review_until) where review_until is not null;
