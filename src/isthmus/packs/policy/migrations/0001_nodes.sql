-- What each server decides by, and why it goes on with older policies than its files say. Only the platform's own
-- sessions reach it.
create table policy.node (
    id text primary key,
    host text not null,
    pid integer not null,
    policies text not null,          -- a hash of the files
    trouble text not null default '',
    changed_at timestamptz not null default now(),
    seen_at timestamptz not null default now()
);
