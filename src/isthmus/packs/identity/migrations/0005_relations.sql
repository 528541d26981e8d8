-- What somebody was given of a part of a front end (`seller/17`, `order/…`), or of all of it for a time
-- (`front-end/fresh`): which role, until when, by whom. A row is ended and never changed: the rows are the history.
create table identity.relation (
    relation_id bigint generated always as identity primary key,
    person_id bigint not null references identity.person on delete cascade,
    role text not null check (role ~ '^[a-z][a-z0-9-]{0,99}$' and role <> 'owner'),
    front_end text not null check (front_end <> '*'),
    part text not null check (part ~ '^[a-z][a-z-]{0,31}/[!#-&(-\[\]-~]{1,100}$'),
    ends_at timestamptz,
    given_at timestamptz not null default now(),
    given_by text not null,
    ended_at timestamptz,
    ended_by text not null default '',
    check ((ended_at is null) = (ended_by = ''))
);
create unique index relation_stands on identity.relation (person_id, front_end, part, role) where ended_at is null;
create index on identity.relation (front_end) where ended_at is null;
