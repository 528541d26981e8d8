-- Lines are written with what they match by key, so a file costs what it has and not what all files before it had: each
-- line looks up what is expected, and whether it came before. What is left of matching by key is to note duplicates.
create function reconciliation.note_duplicates(of_front_end text, of_file uuid, at timestamptz) returns void
    language plpgsql
as $$
declare
    its reconciliation.file := reconciliation.taken(of_front_end, of_file);
begin
    insert into reconciliation.difference
        (front_end, provider, kind, file_id, line, reference, currency, minor, opened_at)
    select of_front_end, its.provider, 'duplicate', of_file, l.line, l.reference, l.currency, l.amount_minor, at
    from reconciliation.line l
    where l.front_end = of_front_end and l.file_id = of_file and l.expected_id is null and l.reference <> ''
        and exists (select from reconciliation.expected e where e.front_end = of_front_end
            and e.provider = its.provider and e.key = l.reference);
end $$;

-- Let files of a front end be taken in one at a time: what is missing of one may be in the other.
create function reconciliation.wait_turn(of_front_end text) returns void
    language plpgsql
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('reconciliation/' || of_front_end, 0));
end $$;

-- Compare what is matched with what its lines say, and end differences that are none any more.
create or replace function reconciliation.compare(of_front_end text, of_file uuid, days int, at timestamptz) returns void
    language plpgsql
as $$
declare
    its reconciliation.file := reconciliation.taken(of_front_end, of_file);
begin
    with touched as (
        select expected_id, its_lines.* from (
            select distinct expected_id from reconciliation.line
            where front_end = of_front_end and file_id = of_file and expected_id is not null) as named
        cross join lateral (
            select sum(amount_minor)::bigint as amount, sum(fee_minor)::bigint as fee, min(currency) as currency,
                count(distinct currency) as currencies, max(day) as day
            from reconciliation.line l
            where l.front_end = of_front_end and l.expected_id = named.expected_id) as its_lines),
    found as (
        update reconciliation.expected e set is_matched = true from touched
        where e.front_end = of_front_end and e.expected_id = touched.expected_id
        returning e.expected_id, e.key, e.currency as our_currency, e.amount_minor as our_amount,
            e.fee_minor as our_fee, e.day as our_day, touched.amount, touched.fee, touched.currency,
            touched.currencies, touched.day),
    differ as (
        select expected_id, key, kind, case when kind = 'currency' then currency else our_currency end as currency, minor
        from found cross join lateral (values
            ('currency', currency <> our_currency or currencies > 1, amount),
            ('amount', currency = our_currency and currencies = 1 and amount <> our_amount, amount - our_amount),
            ('fee', currency = our_currency and currencies = 1 and fee <> our_fee, fee - our_fee),
            ('late', abs(day - our_day) > days, 0::bigint)) as wrong (kind, is_so, minor)
        where is_so)
    insert into reconciliation.difference as known
        (front_end, provider, kind, expected_id, reference, currency, minor, opened_at)
    select of_front_end, its.provider, kind, expected_id, key, currency, minor, at from differ
    on conflict (front_end, expected_id, kind) where line is null
        do update set minor = excluded.minor, currency = excluded.currency where known.resolved_at is null;

    -- What a later file brings is no longer missing, and more lines may bring an amount to what it is to be.
    update reconciliation.difference d set resolved_at = at, resolved_by = 'matching', note = 'a later file has it'
    where d.front_end = of_front_end and d.resolved_at is null and d.line is null and (
        d.kind = 'missing-there' and exists (select from reconciliation.expected e
            where e.front_end = of_front_end and e.expected_id = d.expected_id and e.is_matched)
        or d.kind = 'amount' and exists (
            select from reconciliation.expected e where e.front_end = of_front_end and e.expected_id = d.expected_id
                and e.amount_minor = (select sum(amount_minor) from reconciliation.line l
                    where l.front_end = of_front_end and l.expected_id = d.expected_id)));
end $$;
