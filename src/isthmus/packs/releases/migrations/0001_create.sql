-- What was published. An artefact is a file by the hash of its content; a url is where a store has it.
create table releases.release (
    number bigint generated always as identity primary key,
    front_end text collate "C" not null,
    app text collate "C" not null,
    platform text collate "C" not null,
    channel text collate "C" not null,
    version text not null,
    sha256 text,
    size bigint not null,
    url text,
    signature text not null,
    share integer not null check (share between 0 and 100),
    segments text[] not null,
    is_package boolean not null,
    limits json not null,
    notes text not null,
    state text not null check (state in ('rolling', 'paused', 'stopped', 'rolled-back')),
    reason text not null default '',
    rolls_back bigint,
    author text not null,
    published_at timestamptz not null default now(),
    check (sha256 is not null or url is not null)
);
create unique index on releases.release (front_end, app, platform, channel, version) where rolls_back is null;
create index on releases.release (front_end, app, platform, channel, number desc);
create index on releases.release (front_end, number desc);
select isthmus.guard('releases.release');
revoke delete on releases.release from isthmus_app;

create table releases.minimum (
    front_end text collate "C" not null,
    app text collate "C" not null,
    platform text collate "C" not null,
    channel text collate "C" not null,
    version text,
    grace_until timestamptz,
    primary key (front_end, app, platform, channel)
);
select isthmus.guard('releases.minimum');

-- Contents, by their hash: of no front end, since the same bytes are the same file. Calls read sizes; the resource of
-- the platform reads and writes what is in them.
create table releases.content (
    sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
    content bytea not null,
    put_at timestamptz not null default now()
);
alter table releases.content alter column content set storage external;

-- Which front end has put which file: one of another's is not published by knowing its hash.
create table releases.file (
    front_end text collate "C" not null,
    sha256 text not null,
    size bigint not null,
    put_at timestamptz not null default now(),
    primary key (front_end, sha256)
);
select isthmus.guard('releases.file');

create table releases.delta (
    front_end text collate "C" not null,
    base_sha256 text not null,
    sha256 text not null,
    delta_sha256 text not null,
    size bigint not null,
    signature text not null,
    primary key (front_end, base_sha256, sha256)
);
select isthmus.guard('releases.delta');

-- What clients said of their sessions, each once.
create table releases.session (
    front_end text collate "C" not null,
    number bigint not null references releases.release,
    session text collate "C" not null,
    has_crashed boolean not null,
    requests integer not null,
    errors integer not null,
    latency_ms bigint not null,
    reported_at timestamptz not null default now(),
    primary key (number, session)
);
select isthmus.guard('releases.session');
