-- How many calls, how long they took and what was refused, by hour: of all server processes together. No pack sees it.
create table console.traffic (
    hour timestamptz not null,
    front_end text not null,
    capability text not null,
    calls bigint not null check (calls > 0),
    took_us bigint not null check (took_us >= 0),
    by_bound bigint[] not null,  -- calls that took no longer than each bound, and longer than the one before
    errors jsonb not null default '{}',  -- slug → calls
    primary key (hour, front_end, capability)
);

-- The latest calls that were refused.
create table console.refused (
    at timestamptz not null,
    front_end text not null,
    capability text not null,
    box text not null,
    client text not null,
    error text not null,
    took_us bigint not null
);
create index refused_by_age on console.refused (at);
