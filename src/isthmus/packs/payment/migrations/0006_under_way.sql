-- Attempts without an outcome are in one index: a payment has one of them at a time, besides refunds.
-- contract: it refuses what the index that it takes the place of refused
create unique index attempts_under_way on payment.attempt
    (front_end, payment_id, (case kind when 'refund' then attempt_id else payment_id end))
    where state in ('pending', 'unknown');
-- contract: the index above keeps apart what it kept apart
drop index payment.attempts_one_at_a_time;
-- contract: the index above finds what it found
drop index payment.attempts_open;
