-- One posted entry, for a caller that does not look: most of what is booked, along with what it is booked for. It is
-- written in two plain statements, and whatever is not plain about it goes the way of all entries, `ledger.write`: an
-- account that is not there yet or has a limit, a day that is closed, a reference that is there already.
create function ledger.record(of_front_end text, of_entry uuid, of_reference text, of_kind text, on_day date,
    moves boolean, of_subject text, of_memo text, of_metadata jsonb, of_content uuid, codes text[], owners text[],
    currencies text[], amounts bigint[], at timestamptz, by_client text) returns void
    language plpgsql
as $$
#variable_conflict use_column
declare
    closed constant date := ledger.lock_book(of_front_end, false);
    ids bigint[];
    is_plain boolean;
begin
    select array_agg(account.account_id order by l.place), bool_and(not account.is_limited)
    into ids, is_plain
    from unnest(codes, owners, currencies) with ordinality as l (code, owner, currency, place)
    cross join lateral (
        select known.account_id, known.is_limited from ledger.account as known
        where known.front_end = of_front_end and known.code = l.code and known.owner = l.owner
            and known.currency = l.currency limit 1) as account;
    if is_plain and cardinality(ids) = cardinality(codes) and (closed is null or on_day > closed) then
        insert into ledger.entry (front_end, entry_id, reference, kind, state, value_date, booked_at, subject, memo,
            metadata, legs, content, by)
        values (of_front_end, of_entry, of_reference, of_kind, 'posted', on_day, at, of_subject, of_memo, of_metadata,
            cardinality(codes), of_content, by_client)
        on conflict do nothing;
        if found then
            insert into ledger.leg
                (front_end, entry_id, leg, layer, account_id, currency, amount, value_date, booked_at, xid)
            select of_front_end, of_entry, l.place, '=', l.id, l.currency, l.amount, on_day, at,
                pg_current_xact_id()::text::bigint
            from unnest(ids, currencies, amounts) with ordinality as l (id, currency, amount, place);
            return;
        end if;
    end if;
    perform ledger.write(of_front_end,
        json_build_array(json_build_object('entry_id', of_entry, 'reference', of_reference, 'kind', of_kind, 'state',
            'posted', 'value_date', on_day, 'moves', moves, 'subject', of_subject, 'memo', of_memo, 'metadata',
            of_metadata, 'legs', cardinality(codes), 'content', of_content)),
        array_fill(1, array[cardinality(codes)]), codes, owners, currencies, amounts, at, by_client, true);
end $$;
