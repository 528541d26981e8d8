-- Messages to people. An address or a text that is forgotten is null, and its hash with it.
create table notification.message (
    front_end text not null,
    message_id uuid not null,
    reference text not null,
    kind text not null,
    topic text not null,
    medium text not null,
    member_id uuid,
    address text,
    address_hash bytea,
    subject text not null,
    body text not null,
    html text not null,
    state text not null check (state in ('waiting', 'sent', 'refused', 'failed', 'suppressed', 'erased')),
    reason text not null,
    attempts integer not null default 0 check (attempts >= 0),
    due_at timestamptz not null,
    written_at timestamptz not null,
    ended_at timestamptz check ((ended_at is null) = (state = 'waiting')),
    primary key (front_end, message_id),
    check (state <> 'waiting' or address is not null),
    check ((address is null) = (address_hash is null))
);
select isthmus.guard('notification.message');
revoke delete on notification.message from isthmus_app;
create unique index message_once on notification.message (front_end, reference);
create index on notification.message (front_end, due_at) where state = 'waiting';
create index on notification.message (front_end, ended_at) where address is not null;
create index on notification.message (front_end, address_hash);
create index on notification.message (front_end, member_id) where member_id is not null;

-- Every try to deliver one, as it ended; one without an end was cut off, and came again.
create table notification.try (
    front_end text not null,
    message_id uuid not null,
    number integer not null check (number > 0),
    provider text not null,
    outcome text not null check (outcome in ('sent', 'refused', 'again')),
    provider_reference text not null,
    reason text not null,
    at timestamptz not null,
    primary key (front_end, message_id, number),
    foreign key (front_end, message_id) references notification.message
);
select isthmus.guard('notification.try');
revoke update, delete on notification.try from isthmus_app;

-- Addresses that get nothing, or nothing about a topic, by their hash.
create table notification.suppression (
    front_end text not null,
    address_hash bytea not null,
    topic text not null,
    reason text not null check (reason in ('opted out', 'erased')),
    at timestamptz not null,
    primary key (front_end, address_hash, topic)
);
select isthmus.guard('notification.suppression');
