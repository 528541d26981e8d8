-- A client may have a token made for a while instead of sending its key with each call, and may prove who it is by a key
-- pair of its own, of which only the public half is here.

alter table gateway.client add column credential uuid not null default gen_random_uuid();
-- contract: nobody writes one, and each row has one of its own by default
alter table gateway.client add constraint client_credential_is_one unique (credential);
-- A JWK (RFC 7517). key_hash is its thumbprint then (RFC 7638), also a SHA-256; no key that is sent has that hash.
alter table gateway.client add column public_key text;

-- Assertions that were used (RFC 7523: each once), until they would have ended anyway.
create table gateway.assertion (
    assertion_hash bytea primary key,
    ends_at timestamptz not null
);
create index on gateway.assertion (ends_at);

-- Tokens that were taken back before they ended.
create table gateway.ended_token (
    token_id text primary key,
    ends_at timestamptz not null
);
create index on gateway.ended_token (ends_at);
