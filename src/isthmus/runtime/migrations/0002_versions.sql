-- Which version of which front end runs where. No call touches these tables: they are the platform's own.

-- Every version that was ever deployed, as it was sent: nothing is removed, so any can run again.
create table runtime.version (
    front_end text not null,
    hash text not null check (hash ~ '^[0-9a-f]{64}$'),
    number integer not null check (number > 0),
    folder text not null,
    files integer not null check (files > 0),
    packed bytea not null check (length(packed) between 1 and 8388608),
    made_by text not null,
    made_at timestamptz not null default now(),
    primary key (front_end, hash),
    unique (front_end, number)
);

-- What was decided, one row after the other; the last row of a front end is what runs.
-- stable is null where nothing is deployed: then the folder of each server decides.
create table runtime.switch (
    id bigint generated always as identity primary key,
    front_end text not null,
    kind text not null check (kind in ('deploy', 'stage', 'promote', 'rollback', 'automatic-rollback')),
    stable text,
    staged text,
    percent integer not null default 0 check (percent between 0 and 99),
    before text,
    made_by text not null,
    reason text not null default '',
    made_at timestamptz not null default now(),
    foreign key (front_end, stable) references runtime.version (front_end, hash),
    foreign key (front_end, staged) references runtime.version (front_end, hash),
    foreign key (front_end, before) references runtime.version (front_end, hash),
    check ((staged is null) = (percent = 0))
);
create index switch_of_front_end on runtime.switch (front_end, id desc);

-- Server processes that are at work, or were.
create table runtime.worker (
    id uuid primary key,
    node text not null,
    pid integer not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now()
);

-- What each has ready, and what it runs: the command that deploys waits for it.
create table runtime.ready (
    worker uuid not null references runtime.worker on delete cascade,
    front_end text not null,
    hash text not null,
    trouble text not null default '',
    primary key (worker, front_end, hash)
);
create table runtime.applied (
    worker uuid not null references runtime.worker on delete cascade,
    front_end text not null,
    switch bigint not null,
    trouble text not null default '',
    primary key (worker, front_end)
);

-- How the calls of a front end fare since its last switch, by process and by what answered them.
create table runtime.watched (
    switch bigint not null references runtime.switch,
    worker uuid not null,
    fingerprint text not null,
    calls bigint not null check (calls >= 0),
    faults bigint not null check (faults between 0 and calls),
    slow bigint not null check (slow between 0 and calls),
    primary key (switch, worker, fingerprint)
);
