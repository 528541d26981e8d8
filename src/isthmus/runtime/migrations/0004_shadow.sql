-- A version that runs on a share of a front end's live calls and answers nobody: what was declared, and what came of it.
-- No call touches it: it is the platform's own.
create table runtime.shadow (
    front_end text primary key,
    hash text not null,
    beside text not null default '',                         -- the live version that it is compared with
    percent integer not null check (percent between 1 and 100),
    made_by text not null,
    made_at timestamptz not null default clock_timestamp(),
    ended text not null default '',                          -- why it runs no more; empty while it runs
    held_by uuid,                                            -- the server process that tends it
    held_until timestamptz not null default '-infinity',
    through_at timestamptz not null default clock_timestamp(), -- calls recorded until here have been looked at
    through_id text not null default '',
    skipped bigint not null default 0 check (skipped >= 0),
    lost text[] not null default '{}',                       -- calls that the version did not come back from
    report json,
    foreign key (front_end, hash) references runtime.version (front_end, hash)
);
