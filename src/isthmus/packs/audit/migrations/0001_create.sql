-- A command writes its entry here, in its own transaction, and can neither read nor change it. A job of the platform
-- moves what is committed on, so that no command waits for another's entry.
create table audit.pending (
    id bigint generated always as identity primary key,
    front_end text not null,
    content text not null,  -- JSON, exactly as it is hashed
    since timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
select isthmus.guard('audit.pending');
revoke select, update, delete on audit.pending from isthmus_app;

-- The log. `position` counts all entries from 0, `number` those of a front end from 1, both without gaps. `link` is the
-- SHA-256 of the link before in the same front end, and of the content. The other columns repeat what the content says,
-- to be searched by. Content is null where it went under the front end's retention, which is an entry itself.
create table audit.entry (
    position bigint primary key,
    front_end text collate "C" not null,
    number bigint not null,
    at timestamptz not null,
    call text not null,
    capability text not null,
    client text not null,
    person text not null,
    via text not null,
    outcome text not null,
    content text,
    link bytea not null,
    sealed_at timestamptz not null default now(),
    unique (front_end, number)
);
create index on audit.entry (call);
create index on audit.entry (front_end, person, number) where person <> '';
select isthmus.guard('audit.entry');
revoke insert, update, delete on audit.entry from isthmus_app;

-- The links of all front ends in the order of the tree: hashes, which say nothing, for proofs that go over all entries.
create function audit.links(first bigint, beyond bigint) returns table (link bytea)
    language sql stable security definer set search_path = ''
as $$
    select entry.link from audit.entry where entry.position >= first and entry.position < beyond order by entry.position
$$;

-- Signed heads of the tree over all entries (RFC 9162). `frontier` are the roots of its complete parts, the largest
-- first, from which it grows.
create table audit.head (
    size bigint primary key,
    at timestamptz not null,
    root bytea not null,
    frontier bytea[] not null,
    key text not null,
    signature bytea not null
);
select isthmus.share('audit.head');
revoke insert, update, delete on audit.head from isthmus_app;

-- How far each receiver of heads has been told.
create table audit.receiver (
    address text primary key,
    size bigint not null
);
