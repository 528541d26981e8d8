-- was: 09308e4b9cd0b618598a8bcc5603b70bf94719b9ea8ee27da0f7753316d3074d (it failed where anything had been given back)
-- What payments gave back before there was a book: for the order or return that it was for, and otherwise, as by hand,
-- for the orders of the group that have most left, one after the other.
do $$
declare
    given record;
    sold record;
    rest bigint;
    share bigint;
begin
    for given in
        select payment.front_end, split_part(payment.reference, '/', 1) as group_id, attempt.amount_minor,
            attempt.attempt_id, attempt.ended_at, split_part(attempt.key, '/refund/', 2) as cause
        from payment.attempt join payment.payment using (front_end, payment_id)
        where attempt.kind = 'refund' and attempt.state = 'done'
        order by attempt.ended_at, attempt.attempt_id
    loop
        if exists (select from "order".return where "return".front_end = given.front_end
                   and return_id::text = given.cause and state = 'refunded') then
            continue;  -- it is in the book already
        end if;
        rest := given.amount_minor;
        for sold in
            select order_id, total_minor - refunded_minor as has from "order".orders
            where orders.front_end = given.front_end and orders.group_id::text = given.group_id
            order by order_id::text = given.cause desc, state not in ('cancelled', 'expired') desc, has desc, order_id
        loop
            share := least(rest, sold.has);
            if share > 0 then
                insert into "order".refund (front_end, refund_id, order_id, cause, amount_minor, at)
                values (given.front_end, gen_random_uuid(), sold.order_id, given.cause, share, given.ended_at);
                update "order".orders set refunded_minor = refunded_minor + share
                where orders.front_end = given.front_end and orders.order_id = sold.order_id;
                rest := rest - share;
            end if;
        end loop;
    end loop;
end $$;
