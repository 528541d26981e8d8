-- What we believe of money at providers and banks, what their files say, and where the two differ.

-- What a provider is to say: taken is positive, given back negative. fee: what it is to keep; null where that is not known.
create table reconciliation.expected (
    front_end text collate "C" not null,
    expected_id bigint generated always as identity,
    provider text collate "C" not null,
    key text collate "C" not null,
    reference text collate "C" not null,
    kind text not null,
    currency text collate "C" not null,
    amount_minor bigint not null,
    fee_minor bigint,
    day date not null,
    is_matched boolean not null default false,
    primary key (front_end, expected_id),
    unique (front_end, provider, key)
);
select isthmus.guard('reconciliation.expected');
create index on reconciliation.expected (front_end, provider, day) where not is_matched;

create table reconciliation.file (
    front_end text collate "C" not null,
    file_id uuid not null,
    provider text collate "C" not null,
    name text not null,
    digest uuid not null,
    lines int not null,
    first_day date,
    last_day date,
    imported_at timestamptz not null,
    imported_by text not null,
    primary key (front_end, file_id),
    unique (front_end, provider, digest)
);
select isthmus.guard('reconciliation.file');

create table reconciliation.line (
    front_end text collate "C" not null,
    file_id uuid not null,
    line int not null,
    provider text collate "C" not null,
    reference text collate "C" not null,
    kind text not null,
    currency text collate "C" not null,
    amount_minor bigint not null,
    fee_minor bigint not null,
    day date not null,
    expected_id bigint,
    primary key (front_end, file_id, line),
    foreign key (front_end, file_id) references reconciliation.file (front_end, file_id)
);
select isthmus.guard('reconciliation.line');
create index on reconciliation.line (front_end, provider, reference) where reference <> '';
create index on reconciliation.line (front_end, expected_id) where expected_id is not null;

create table reconciliation.difference (
    front_end text collate "C" not null,
    difference_id bigint generated always as identity,
    provider text collate "C" not null,
    kind text not null check (kind in
        ('missing-here', 'missing-there', 'amount', 'fee', 'currency', 'duplicate', 'late')),
    file_id uuid,
    line int,
    expected_id bigint,
    reference text not null,
    currency text not null,
    minor bigint not null,
    opened_at timestamptz not null,
    owner text not null default '',
    resolved_at timestamptz,
    resolved_by text,
    account text not null default '',
    note text not null default '',
    primary key (front_end, difference_id),
    check ((resolved_at is null) = (resolved_by is null))
);
select isthmus.guard('reconciliation.difference');
create unique index one_of_a_kind on reconciliation.difference (front_end, expected_id, kind) nulls distinct
    where line is null;
create index on reconciliation.difference (front_end, opened_at) where resolved_at is null;

-- Return a file that is matched now. One at a time at a front end: what is missing of one may be in the other.
-- What has just been written has no statistics yet, so rows are thought to be few: a large file joins by hashing.
create function reconciliation.taken(of_front_end text, of_file uuid) returns reconciliation.file
    language plpgsql
as $$
declare
    its reconciliation.file;
begin
    perform pg_advisory_xact_lock(hashtextextended('reconciliation/' || of_front_end, 0));
    select * into its from reconciliation.file where front_end = of_front_end and file_id = of_file;
    perform set_config('plan_cache_mode', 'force_custom_plan', true),
        set_config('enable_nestloop', case when its.lines > 5000 then 'off' else 'on' end, true);
    return its;
end $$;

-- Match the lines of a file by the key that they name, many lines to one; a line that comes again is a duplicate.
create function reconciliation.match_keys(of_front_end text, of_file uuid, at timestamptz) returns void
    language plpgsql
as $$
declare
    its reconciliation.file := reconciliation.taken(of_front_end, of_file);
begin
    update reconciliation.line l set expected_id = e.expected_id
    from reconciliation.expected e
    where l.front_end = of_front_end and l.file_id = of_file and l.reference <> '' and e.front_end = of_front_end
        and e.provider = its.provider and e.key = l.reference
        and not exists (
            select from reconciliation.line o where o.front_end = of_front_end and o.provider = its.provider
                and o.reference = l.reference and o.kind = l.kind and o.amount_minor = l.amount_minor
                and e.amount_minor = l.amount_minor and (o.file_id, o.line) <> (l.file_id, l.line)
                and (o.file_id <> of_file or o.line < l.line));

    insert into reconciliation.difference
        (front_end, provider, kind, file_id, line, reference, currency, minor, opened_at)
    select of_front_end, its.provider, 'duplicate', of_file, l.line, l.reference, l.currency, l.amount_minor, at
    from reconciliation.line l
    where l.front_end = of_front_end and l.file_id = of_file and l.expected_id is null and l.reference <> ''
        and exists (select from reconciliation.expected e where e.front_end = of_front_end
            and e.provider = its.provider and e.key = l.reference);
end $$;

-- Match what is left by amount within so many days, one to one, in the order of days.
create function reconciliation.match_amounts(of_front_end text, of_file uuid, days int) returns void
    language plpgsql
as $$
declare
    its reconciliation.file := reconciliation.taken(of_front_end, of_file);
begin
    with lines as (
        select line, kind, currency, amount_minor, day,
            row_number() over (partition by currency, amount_minor order by day, line) as place
        from reconciliation.line l
        where l.front_end = of_front_end and l.file_id = of_file and expected_id is null
            and not exists (select from reconciliation.difference d where d.front_end = of_front_end
                and d.file_id = of_file and d.line = l.line)),
    ours as (
        select expected_id, currency, amount_minor, day,
            row_number() over (partition by currency, amount_minor order by day, expected_id) as place
        from reconciliation.expected e
        where e.front_end = of_front_end and provider = its.provider and not is_matched
            and day between its.first_day - days and its.last_day + days
            and not exists (select from reconciliation.line l where l.front_end = of_front_end
                and l.expected_id = e.expected_id))
    update reconciliation.line l set expected_id = ours.expected_id
    from lines join ours using (currency, amount_minor, place)
    where l.front_end = of_front_end and l.file_id = of_file and l.line = lines.line
        and abs(ours.day - lines.day) <= days;
end $$;

-- Compare what is matched with what its lines say, and end differences that are none any more.
create function reconciliation.compare(of_front_end text, of_file uuid, days int, at timestamptz) returns void
    language plpgsql
as $$
declare
    its reconciliation.file := reconciliation.taken(of_front_end, of_file);
begin
    with touched as (
        select expected_id, count(*) as lines, sum(amount_minor)::bigint as amount, sum(fee_minor)::bigint as fee,
            min(currency) as currency, count(distinct currency) as currencies, max(day) as day, max(line) as line
        from reconciliation.line where front_end = of_front_end and expected_id in (
            select expected_id from reconciliation.line
            where front_end = of_front_end and file_id = of_file and expected_id is not null)
        group by expected_id),
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

-- Note the lines that we know nothing of, and what no file has though later days came.
create function reconciliation.note_missing(of_front_end text, of_file uuid, days int, at timestamptz) returns void
    language plpgsql
as $$
declare
    its reconciliation.file := reconciliation.taken(of_front_end, of_file);
begin
    insert into reconciliation.difference
        (front_end, provider, kind, file_id, line, reference, currency, minor, opened_at)
    select of_front_end, its.provider, 'missing-here', of_file, l.line, l.reference, l.currency, l.amount_minor, at
    from reconciliation.line l
    where l.front_end = of_front_end and l.file_id = of_file and l.expected_id is null
        and not exists (select from reconciliation.difference d where d.front_end = of_front_end
            and d.file_id = of_file and d.line = l.line);

    insert into reconciliation.difference
        (front_end, provider, kind, expected_id, reference, currency, minor, opened_at)
    select of_front_end, its.provider, 'missing-there', expected_id, key, currency, -amount_minor, at
    from reconciliation.expected
    where front_end = of_front_end and provider = its.provider and not is_matched and day < its.last_day - days
    on conflict (front_end, expected_id, kind) where line is null do nothing;
end $$;
