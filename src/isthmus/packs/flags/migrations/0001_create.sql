-- Flags of each front end have one version, which only grows: a server has all of them in one version or in the next.
-- `channel` names the front end to those who listen for changes, and says nothing else.
create table flags.config (
    front_end text collate "C" primary key,
    version bigint not null default 0,
    channel text not null unique default replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
    changed_at timestamptz not null default now()
);
select isthmus.guard('flags.config');
revoke delete on flags.config from isthmus_app;

-- What holds. `body` is the flag as JSON; `next_at` is when the first step of its schedule is due.
create table flags.flag (
    front_end text collate "C" not null,
    key text collate "C" not null,
    body json not null,
    version bigint not null,
    author text not null,
    changed_at timestamptz not null default now(),
    next_at timestamptz,
    primary key (front_end, key)
);
create index on flags.flag (front_end, next_at) where next_at is not null;
select isthmus.guard('flags.flag');

-- Every change there was, also those that wait for a second person. `based_on` is the flag's version when it was made.
create table flags.change (
    number bigint generated always as identity primary key,
    front_end text collate "C" not null,
    key text collate "C" not null,
    what text not null check (what in ('put', 'kill', 'delete', 'step')),
    body json,
    based_on bigint not null,
    note text not null,
    state text not null check (state in ('waiting', 'applied', 'refused')),
    author text not null,
    made_at timestamptz not null default now(),
    decided_by text not null default '',
    decided_at timestamptz,
    version bigint,
    check ((state = 'applied') = (version is not null)),
    check (state = 'waiting' or decided_at is not null)
);
create index on flags.change (front_end, number desc);
create index on flags.change (front_end, key, number desc);
select isthmus.guard('flags.change');
revoke delete on flags.change from isthmus_app;

-- Who met which variant of which experiment, first of all. `subject` is a hash: it can be compared, and names nobody.
create table flags.exposure (
    front_end text collate "C" not null,
    flag text collate "C" not null,
    experiment text collate "C" not null,
    subject text collate "C" not null,
    variant text not null,
    exposed_at timestamptz not null default now(),
    primary key (front_end, flag, experiment, subject)
);
create index on flags.exposure (front_end, subject);
select isthmus.guard('flags.exposure');

-- What came of it: each event that counts, once.
create table flags.outcome (
    front_end text collate "C" not null,
    flag text collate "C" not null,
    experiment text collate "C" not null,
    event_id text not null,
    subject text collate "C" not null,
    variant text not null,
    value double precision not null,
    happened_at timestamptz not null,
    primary key (front_end, flag, experiment, event_id)
);
create index on flags.outcome (front_end, subject);
select isthmus.guard('flags.outcome');
