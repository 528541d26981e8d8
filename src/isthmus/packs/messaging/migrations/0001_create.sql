-- Who can be reached, and in which zone their day is.
create table messaging.reader (
    front_end text collate "C" not null,
    member_id uuid not null,
    zone text not null,
    primary key (front_end, member_id)
);
select isthmus.guard('messaging.reader');

-- Where a device is reached: the address of a push service, or a token of one. `failures` leave a slow one alone for a while.
create table messaging.endpoint (
    front_end text collate "C" not null,
    endpoint_id uuid not null,
    member_id uuid not null,
    kind text collate "C" not null,
    address text not null,
    p256dh text not null,
    auth text not null,
    device_id text collate "C" not null,
    state text not null default 'active' check (state in ('active', 'gone')),
    reason text not null default '',
    failures integer not null default 0,
    retry_at timestamptz not null default '-infinity',
    made_at timestamptz not null default now(),
    primary key (front_end, endpoint_id)
);
create unique index on messaging.endpoint (front_end, md5(address));
create index on messaging.endpoint (front_end, member_id);
select isthmus.guard('messaging.endpoint');

create table messaging.topic_reader (
    front_end text collate "C" not null,
    topic text collate "C" not null,
    member_id uuid not null,
    primary key (front_end, topic, member_id)
);
create index on messaging.topic_reader (front_end, member_id);
select isthmus.guard('messaging.topic_reader');

-- Who wants nothing for a purpose; for '' nothing at all.
create table messaging.opt_out (
    front_end text collate "C" not null,
    member_id uuid not null,
    purpose text collate "C" not null,
    at timestamptz not null default now(),
    primary key (front_end, member_id, purpose)
);
select isthmus.guard('messaging.opt_out');

-- A message to many. `reached` is the last member that it was queued for: it moves with the rows, in one transaction.
create table messaging.campaign (
    campaign_id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    name text not null,
    topic text,
    segment text,
    purpose text collate "C" not null,
    title text not null,
    body text not null,
    link text not null,
    collapse_key text collate "C" not null,
    ttl_hours integer not null,
    state text not null default 'queuing' check (state in ('queuing', 'paused', 'queued', 'cancelled')),
    reached uuid not null default '00000000-0000-0000-0000-000000000000',
    messages bigint not null default 0,
    left_out bigint not null default 0,
    author text not null,
    made_at timestamptz not null default now(),
    ended_at timestamptz
);
create index on messaging.campaign (front_end, campaign_id desc);
create index on messaging.campaign (front_end, campaign_id) where state = 'queuing';
select isthmus.guard('messaging.campaign');

-- The inbox. What a campaign says stands there once; a message by itself says it here.
create table messaging.message (
    front_end text collate "C" not null,
    message_id uuid not null,
    member_id uuid not null,
    campaign_id bigint references messaging.campaign,
    reference text collate "C",
    purpose text collate "C" not null,
    title text,
    body text,
    link text,
    collapse_key text collate "C" not null,
    expires_at timestamptz not null,
    made_at timestamptz not null,
    read_at timestamptz,
    is_replaced boolean not null default false,
    primary key (front_end, message_id),
    check ((campaign_id is null) = (title is not null))
);
create unique index on messaging.message (front_end, reference) where reference is not null;
create unique index on messaging.message (campaign_id, member_id) where campaign_id is not null;
create index on messaging.message (front_end, member_id, made_at desc, message_id desc);
select isthmus.guard('messaging.message');

create table messaging.delivery (
    front_end text collate "C" not null,
    message_id uuid not null,
    endpoint_id uuid not null,
    campaign_id bigint,
    state text collate "C" not null default 'waiting' check (state in (
        'waiting', 'sent', 'refused', 'gone', 'expired', 'failed', 'opted-out', 'capped', 'cut-off', 'replaced', 'cancelled')),
    attempts integer not null default 0,
    reason text not null default '',
    due_at timestamptz not null,
    ended_at timestamptz check ((ended_at is null) = (state = 'waiting')),
    receipt text collate "C" not null default '' check (receipt in ('', 'shown', 'opened')),
    primary key (front_end, message_id, endpoint_id),
    foreign key (front_end, message_id) references messaging.message on delete cascade
);
create index on messaging.delivery (front_end, due_at) where state = 'waiting';
create index on messaging.delivery (campaign_id, state) where campaign_id is not null;
create index on messaging.delivery (front_end, endpoint_id);
select isthmus.guard('messaging.delivery');

-- When a person was pushed something, at whichever front end: what caps are counted by. It names nobody.
create table messaging.pushed (
    subject bytea not null,
    message_id uuid not null,
    at timestamptz not null,
    primary key (subject, message_id)
);
create index on messaging.pushed (at);
select isthmus.share('messaging.pushed');
