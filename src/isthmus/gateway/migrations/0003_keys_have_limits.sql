-- A key may have limits of its own: calls a second, and calls at once, of each server process. Without, those of all hold.
alter table gateway.client add column per_second double precision
    constraint client_calls_at_a_rate check (per_second > 0);
alter table gateway.client add column at_once integer constraint client_calls_some_at_once check (at_once > 0);
