-- Devices of apps. `key` is public; `sequence` is the last number that the device has signed, and `said` the hash of what.
create table devices.device (
    front_end text collate "C" not null,
    device_id text collate "C" not null,
    app text collate "C" not null,
    platform text collate "C" not null,
    key text not null,
    member_id text collate "C" not null,
    session_id text collate "C" not null,
    sequence bigint not null,
    said bytea not null,
    state text not null default 'active' check (state in ('active', 'cut-off')),
    reason text not null default '' check ((reason = '') = (state = 'active')),
    registered_at timestamptz not null default now(),
    key_since timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    primary key (front_end, device_id)
);
create unique index on devices.device (front_end, key);  -- a copy is no further device
create index on devices.device (front_end, member_id);
select isthmus.guard('devices.device');
