-- A transaction that is open for long, in whatever table, keeps nothing else from being summed up. unsummed: the numbers
-- below `folded` of transactions that were open when legs were summed up last; their legs are not in ledger.balance.
alter table ledger.book add column unsummed bigint[] not null default '{}';
-- contract: nothing goes; a range of pages is known as soon as it is full, not only after the next vacuum
alter index ledger.leg_xid_idx set (autosummarize = on);
-- contract: nothing goes, as above
alter index ledger.leg_booked_at_idx set (autosummarize = on);

-- Sum up what was booked since the last time, of transactions that have ended; return how many legs that were. Legs are
-- chosen by the numbers of one snapshot, which are kept. This transaction's own number is left out, whatever it has
-- booked: it may book more.
create or replace function ledger.fold(of_front_end text) returns bigint
    language plpgsql
as $$
declare
    book ledger.book;
    reached pg_snapshot;
    until bigint;
    open_now bigint[];
    since bigint;
    legs bigint;
begin
    perform ledger.lock_book(of_front_end, false);
    select * into book from ledger.book where front_end = of_front_end for update skip locked;
    if not found then
        return 0;  -- somebody else is at it
    end if;
    reached := pg_current_snapshot();
    until := pg_snapshot_xmax(reached)::text::bigint;
    select coalesce(array_agg(number order by number), '{}') into open_now from (
        select id::text::bigint as number from pg_snapshot_xip(reached) as id
        union select pg_current_xact_id()::text::bigint) as numbers
    where number < until;
    -- The oldest that has ended by now and was open the last time.
    select least(book.folded, min(number)) into since from unnest(book.unsummed) as number
    where number <> all (open_now);
    with fresh as materialized (
        select account_id, layer, value_date, (booked_at at time zone 'UTC')::date as booked_on, amount
        from ledger.leg where front_end = of_front_end and xid >= since and xid < until
            and (xid >= book.folded or xid = any (book.unsummed)) and xid <> all (open_now)),
    summed as (
        insert into ledger.balance as known (front_end, account_id, posted, pending_debit, pending_credit)
        select of_front_end, account_id, coalesce(sum(amount) filter (where layer = '='), 0),
            coalesce(sum(amount) filter (where layer = '+'), 0), coalesce(sum(amount) filter (where layer = '-'), 0)
        from fresh group by account_id
        on conflict (account_id) do update set posted = known.posted + excluded.posted,
            pending_debit = known.pending_debit + excluded.pending_debit,
            pending_credit = known.pending_credit + excluded.pending_credit),
    by_day as (
        insert into ledger.day as known (front_end, account_id, value_date, booked_on, debit, credit)
        select of_front_end, account_id, value_date, booked_on, coalesce(sum(amount) filter (where amount > 0), 0),
            coalesce(-sum(amount) filter (where amount < 0), 0)
        from fresh where layer = '=' group by account_id, value_date, booked_on
        on conflict (account_id, value_date, booked_on) do update
            set debit = known.debit + excluded.debit, credit = known.credit + excluded.credit)
    select count(*) into legs from fresh;
    -- While a transaction is open no version of a row goes: one is written where it is worth it.
    if legs > 0 or until - since > 1000 then
        update ledger.book set folded = until, unsummed = open_now where front_end = of_front_end;
    end if;
    return legs;
end $$;
