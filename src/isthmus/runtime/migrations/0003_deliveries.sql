-- Events on their way to the front ends that subscribe to them: one row for each capability that is to be called.
-- What was done is deleted; what failed too often stays as a dead letter. No call touches it: it is the platform's own.
create table runtime.delivery (
    id bigint generated always as identity primary key,
    front_end text not null,
    capability text not null,
    event_id text not null,
    event_type text not null,
    subject text not null,
    ask json not null,
    state text not null default 'waiting' check (state in ('waiting', 'dead')),
    attempts integer not null default 0 check (attempts >= 0),
    due_at timestamptz not null default now(),
    last_error text not null default '',
    held_by text not null default '',
    held_until timestamptz not null default '-infinity',
    made_at timestamptz not null default now(),
    unique (front_end, capability, event_id)
);
create index on runtime.delivery (front_end, capability, id) where state = 'waiting';
create index on runtime.delivery (front_end, capability, subject, id) where state = 'waiting';
