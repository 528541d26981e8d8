-- Keys that people sign with: public ones, of no use to who reads them. One key is of one person, for good.
create table identity.signing_key (
    key text primary key check (key ~ '^[0-9a-f]{16}$'),  -- the first digits of the SHA-256 of the public key
    person_id bigint not null references identity.person on delete cascade,
    public_key bytea not null unique check (length(public_key) = 32),
    label text not null,
    made_at timestamptz not null default now(),
    made_by text not null,
    ends_at timestamptz not null,
    revoked_at timestamptz,
    revoked_by text not null default ''
);
create index on identity.signing_key (person_id);
