-- What ventures have shown the group, as it was taken, and what their checks saw.

-- How far pages were taken; hash is that of the last entry, which the next one has to name.
create table venture.position (
    front_end text collate "C" not null,
    journal bigint not null default 0,
    hash text not null default '',
    sales bigint not null default 0,
    taken_at timestamptz not null default now(),
    primary key (front_end)
);
select isthmus.guard('venture.position');

-- Entries that were taken: what of them is income and tax, to be held against sales.
create table venture.entry (
    front_end text collate "C" not null,
    number bigint not null,
    reference text not null,
    subject text collate "C" not null,
    kind text not null,
    currency text not null,
    net_minor bigint not null,
    tax_minor bigint not null,
    hash text not null,
    primary key (front_end, number),
    unique (front_end, reference)
);
select isthmus.guard('venture.entry');
create index on venture.entry (front_end, subject) where subject <> '';

create table venture.sale (
    front_end text collate "C" not null,
    sale_id text collate "C" not null,
    number bigint not null,
    kind text not null constraint sale_kind_is_known check (kind in ('sale', 'refund')),
    order_id text not null,
    member text collate "C" not null,
    item text not null,
    currency text not null,
    net_minor bigint not null,
    tax_minor bigint not null,
    sold_at timestamptz not null,
    primary key (front_end, sale_id),
    unique (front_end, number)
);
select isthmus.guard('venture.sale');
create index on venture.sale (front_end, member) where member <> '';

-- What a check saw of an obligation; a row stands until something else is seen.
create table venture.finding (
    front_end text collate "C" not null,
    obligation text not null,
    since timestamptz not null,
    at timestamptz not null,
    is_met boolean not null,
    said text not null,
    remedy text not null,
    primary key (front_end, obligation, since)
);
select isthmus.guard('venture.finding');

-- Who was erased here, and is still to be forgotten by a venture.
create table venture.reminder (
    front_end text collate "C" not null,
    member text collate "C" not null,
    since timestamptz not null default now(),
    tries int not null default 0,
    because text not null default '',
    primary key (front_end, member)
);
select isthmus.guard('venture.reminder');

-- Forgets accounts at every venture, whoever erases them: an account is the whole group's. Each venture of `codes` is
-- reminded, for somebody may have signed in there and bought nothing.
create function venture.forget(accounts text[], codes text[]) returns setof text
    language sql security definer set search_path = ''
as $$
    insert into venture.reminder (front_end, member)
    select code, member from unnest(codes) as code cross join unnest(accounts) as member
    on conflict (front_end, member) do nothing;
    update venture.sale set member = '' where member = any(accounts) returning sale_id;
$$;
