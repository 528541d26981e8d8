-- Whose documents belong together. `version` counts operations: it is their order, and who changes it holds the row.
create table sync.scope (
    front_end text collate "C" not null,
    scope text collate "C" not null,
    version bigint not null default 0,
    primary key (front_end, scope)
);
select isthmus.guard('sync.scope');

create table sync.scope_member (
    front_end text collate "C" not null,
    scope text collate "C" not null,
    member_id uuid not null,
    primary key (front_end, scope, member_id)
);
create index on sync.scope_member (front_end, member_id);
select isthmus.guard('sync.scope_member');

-- Installations of an app: `sequence` is the last of their operations that was taken.
create table sync.client (
    front_end text collate "C" not null,
    client_id text collate "C" not null,
    member_id uuid not null,
    sequence bigint not null default 0,
    seen_at timestamptz not null,
    primary key (front_end, client_id)
);
create index on sync.client (front_end, member_id);
select isthmus.guard('sync.client');

create table sync.document (
    front_end text collate "C" not null,
    scope text collate "C" not null,
    collection text collate "C" not null,
    document text collate "C" not null,
    version bigint not null,
    is_deleted boolean not null,
    body json not null,
    primary key (front_end, scope, collection, document)
);
create index on sync.document (front_end, scope, version);
select isthmus.guard('sync.document');

-- Every operation once; `said` is a hash of it, by which the same is known again.
create table sync.operation (
    front_end text collate "C" not null,
    client_id text collate "C" not null,
    sequence bigint not null,
    scope text collate "C" not null,
    version bigint not null,
    said bytea not null,
    at timestamptz not null,
    primary key (front_end, client_id, sequence)
);
create index on sync.operation (at);
select isthmus.guard('sync.operation');

-- What two wrote without knowing of each other: what stands, what it took the place of, and what somebody said of it.
create table sync.conflict (
    conflict_id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    scope text collate "C" not null,
    collection text collate "C" not null,
    document text collate "C" not null,
    field text collate "C" not null,
    kept json not null,
    lost json not null,
    kept_by text collate "C" not null,
    lost_by text collate "C" not null,
    version bigint not null,
    at timestamptz not null,
    settled text collate "C" not null default '' check (settled in ('', 'kept', 'lost'))
);
create index on sync.conflict (front_end, scope, conflict_id desc);
create index on sync.conflict (front_end, conflict_id desc) where settled = '';
select isthmus.guard('sync.conflict');
