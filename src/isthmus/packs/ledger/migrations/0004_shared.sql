-- What several callers ask is booked in one transaction; where an account that one of them names is locked, or days are being
-- closed, the others do not wait for it: each then books in a transaction of its own.
create function ledger.write_shared(of_front_end text, entries json, of_entry int[], codes text[], owners text[],
    currencies text[], amounts bigint[], at timestamptz, by_client text, is_strict boolean)
    returns table (entry_id uuid, state text, value_date date, is_news boolean, refused text, detail text)
    language plpgsql
    set lock_timeout = '25ms'
as $$
begin
    return query select * from ledger.write(of_front_end, entries, of_entry, codes, owners, currencies, amounts, at,
        by_client, is_strict);
end $$;
