-- An order is within a part where it is shared by itself, or where all that it has is that seller's.
create function "order".is_within(of_front_end text, of_order uuid) returns boolean
    language sql stable security definer set search_path = ''
    return isthmus.is_part('order/' || of_order) or coalesce((
        select pg_catalog.bool_and(isthmus.is_part('seller/' || lines.seller)) from "order".lines
        where lines.front_end = of_front_end and lines.order_id = of_order), false);

create function "order".is_order_within(of_front_end text, name text) returns boolean
    language sql stable
    return case when name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        then "order".is_within(of_front_end, name::uuid) else false end;
select isthmus.part_kind('order', '"order".is_order_within(text, text)');

select isthmus.wall('"order".orders', '"order".is_within(front_end, order_id)');
select isthmus.wall('"order".lines', '"order".is_within(front_end, order_id)');
select isthmus.wall('"order".history', '"order".is_within(front_end, order_id)');
select isthmus.wall('"order".parcel', '"order".is_within(front_end, order_id)');
select isthmus.wall('"order".return', '"order".is_within(front_end, order_id)');
select isthmus.wall('"order".return_line', 'exists (select from "order".return
    where return.front_end = return_line.front_end and return.return_id = return_line.return_id)');
