-- What a payee always leaves, for what may still come back: it is carried from each settlement to the next.
alter table settlement.payee add column reserve_minor bigint not null default 0 check (reserve_minor >= 0);
-- contract: a settlement that pays now carries too; servers of before write what kept to it, and go on
alter table settlement.settlement drop constraint carried_or_paid;
