-- Who may call, and the stories of calls that were asked for. The gateway reads both as the platform itself, so
-- neither is opened to calls: no pack can see a client.

-- A key is shown once. A SHA-256 of 256 random bits needs no salt and no stretching: there is nothing to guess.
create table gateway.client (
    key_hash bytea primary key constraint key_hash_is_sha_256 check (octet_length(key_hash) = 32),
    front_end text not null,
    name text not null constraint client_has_a_name check (name <> ''),
    scopes text[],  -- capabilities, or pack.*; null: all that the front end may use
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);
create index on gateway.client (front_end, name);

-- Stories of calls that were sent with Isthmus-Explain; the newest of each front end are kept.
create table gateway.story (
    call_id uuid primary key,
    front_end text not null,
    capability text not null,
    told_at timestamptz not null default now(),
    story json not null
);
create index on gateway.story (front_end, told_at);
