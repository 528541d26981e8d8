-- Attempts without an outcome are looked up in turn: one that stays unknown does not keep the others waiting.
alter table payment.attempt add looked_up_at timestamptz;

-- Holding, taking and letting go wait for one another: what the first comes to decides whether there is a next.
create unique index attempts_one_at_a_time on payment.attempt (front_end, payment_id)
    where state in ('pending', 'unknown') and kind <> 'refund';
