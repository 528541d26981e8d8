-- A dump that is restored into another server meets numbers of transactions that count from the start again: what is
-- booked there would pass for summed up. Run this once, before servers start: all is summed up, and what was booked so far
-- has numbers below those that will come, in the order that it had.
create function ledger.number_anew() returns void
    language plpgsql
as $$
declare
    book ledger.book;
begin
    lock table ledger.leg, ledger.book in exclusive mode;
    for book in select * from ledger.book loop
        insert into ledger.balance as known (front_end, account_id, posted, pending_debit, pending_credit)
        select book.front_end, account_id, coalesce(sum(amount) filter (where layer = '='), 0),
            coalesce(sum(amount) filter (where layer = '+'), 0), coalesce(sum(amount) filter (where layer = '-'), 0)
        from ledger.leg where front_end = book.front_end and (xid >= book.folded or xid = any (book.unsummed))
        group by account_id
        on conflict (account_id) do update set posted = known.posted + excluded.posted,
            pending_debit = known.pending_debit + excluded.pending_debit,
            pending_credit = known.pending_credit + excluded.pending_credit;
        insert into ledger.day as known (front_end, account_id, value_date, booked_on, debit, credit)
        select book.front_end, account_id, value_date, (booked_at at time zone 'UTC')::date,
            coalesce(sum(amount) filter (where amount > 0), 0), coalesce(-sum(amount) filter (where amount < 0), 0)
        from ledger.leg where front_end = book.front_end and (xid >= book.folded or xid = any (book.unsummed))
            and layer = '='
        group by account_id, value_date, 4
        on conflict (account_id, value_date, booked_on) do update
            set debit = known.debit + excluded.debit, credit = known.credit + excluded.credit;
    end loop;
    alter table ledger.leg disable trigger legs_stay;
    update ledger.leg set xid = xid - 9223372036854775807 where xid > 0;
    alter table ledger.leg enable trigger legs_stay;
    update ledger.book set folded = 1, unsummed = '{}';
end $$;
comment on function ledger.number_anew() is 'For a dump in another server: legs so far get numbers below all that will come';
revoke execute on function ledger.number_anew() from public;
