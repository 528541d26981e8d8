-- What a passkey is proved by: public keys, of no use to who reads them. `site` is the origin that it was made for.
create table identity.passkey (
    credential bytea primary key,
    number bigint generated always as identity unique,
    person_id bigint not null references identity.person on delete cascade,
    public_key bytea not null,
    sign_count bigint not null,
    site text not null,
    agent text not null,
    made_at timestamptz not null default now(),
    used_at timestamptz
);
create index on identity.passkey (person_id);

-- Challenges that were answered: each is good once.
create table identity.used_challenge (
    hash bytea primary key,
    used_at timestamptz not null default now()
);
create index on identity.used_challenge (used_at);
