-- Addresses that events are sent to. `failing_since` and `failures` are of the address as a whole: who does not answer
-- one event will hardly answer the next. `retry_at` keeps everything back until then.
create table webhooks.endpoint (
    front_end text collate "C" not null,
    name text collate "C" not null,
    url text not null,
    types text[] not null,
    is_ordered boolean not null,
    is_personal boolean not null,
    state text not null default 'active' check (state in ('active', 'paused')),
    reason text not null default '',
    failures integer not null default 0,
    failing_since timestamptz,
    is_gone boolean not null default false,
    retry_at timestamptz not null default '-infinity',
    made_at timestamptz not null default now(),
    primary key (front_end, name)
);
select isthmus.guard('webhooks.endpoint');

-- What is sent is signed with each secret that holds. No call can read one: the sender does, as the platform itself.
create table webhooks.secret (
    front_end text collate "C" not null,
    endpoint text collate "C" not null,
    made_at timestamptz not null,
    until timestamptz not null default 'infinity',
    secret text not null,
    primary key (front_end, endpoint, made_at),
    foreign key (front_end, endpoint) references webhooks.endpoint on delete cascade
);
select isthmus.guard('webhooks.secret');
revoke select, update on webhooks.secret from isthmus_app;
grant select (front_end, endpoint, made_at, until), update (until) on webhooks.secret to isthmus_app;

-- Events on their way. The event itself stays where it is kept, and is read when it is sent; a test has none.
create table webhooks.delivery (
    delivery_id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    endpoint text collate "C" not null,
    event_id text not null,
    event_type text not null,
    subject text not null,
    position bigint,
    state text not null default 'waiting' check (state in ('waiting', 'done', 'dead')),
    attempts integer not null default 0,
    status integer not null default 0,
    reason text not null default '',
    due_at timestamptz not null default now(),
    held_by text not null default '',
    held_until timestamptz not null default '-infinity',
    made_at timestamptz not null default now(),
    ended_at timestamptz check ((ended_at is null) = (state = 'waiting')),
    unique (front_end, endpoint, event_id),
    foreign key (front_end, endpoint) references webhooks.endpoint on delete cascade
);
create index on webhooks.delivery (front_end, endpoint, delivery_id) where state = 'waiting';
create index on webhooks.delivery (front_end, endpoint, subject, delivery_id) where state = 'waiting';
create index on webhooks.delivery (front_end, delivery_id);
create index on webhooks.delivery (state, ended_at);
select isthmus.guard('webhooks.delivery');
revoke delete on webhooks.delivery from isthmus_app;

-- Each time that an event was sent, and what came of it. What was answered is not kept: it may say anything.
create table webhooks.attempt (
    front_end text collate "C" not null,
    delivery_id bigint not null references webhooks.delivery on delete cascade,
    number integer not null,
    at timestamptz not null default now(),
    took_ms integer not null,
    status integer not null,
    reason text not null,
    primary key (delivery_id, number)
);
select isthmus.guard('webhooks.attempt');
revoke insert, update, delete on webhooks.attempt from isthmus_app;
