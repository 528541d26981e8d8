-- People of staff. Only the platform's own sessions reach these tables: no call of a front end does. Every time is the
-- database's, so that a server whose clock is wrong lets nobody in longer.
create table identity.person (
    person_id bigint generated always as identity primary key,
    name text not null unique check (name ~ '^[a-z][a-z0-9._-]{0,62}$'),
    address text unique check (address ~ '^[!-~]+@[a-z0-9.-]+$'),
    password text,         -- argon2id, with its parameters
    totp bytea,            -- sealed under the key of the platform's data
    totp_step bigint not null default 0,  -- of the last code that was taken: each is good once
    state text not null check (state in ('invited', 'active', 'disabled')),
    made_at timestamptz not null default now(),
    made_by text not null
);

create table identity.role (
    person_id bigint not null references identity.person on delete cascade,
    front_end text not null,  -- `*`: over all
    role text not null check (role ~ '^[a-z][a-z0-9-]{0,99}$'),
    given_at timestamptz not null default now(),
    given_by text not null,
    primary key (person_id, front_end, role)
);

-- An administrator is an active owner of the platform. Who takes the last one away waits for whoever does so meanwhile.
create function identity.keep_an_administrator() returns trigger language plpgsql set search_path = '' as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('identity.administrators', 0));
    if not exists (
        select from identity.role join identity.person using (person_id)
        where role.front_end = '*' and role.role = 'owner' and person.state = 'active'
    ) then
        raise exception 'the last administrator stays' using errcode = 'check_violation',
            constraint = 'identity_keep_an_administrator', schema = 'identity', table = 'role';
    end if;
    return null;
end $$;
create trigger keep_an_administrator after delete or update on identity.role
    for each row when (old.front_end = '*' and old.role = 'owner') execute function identity.keep_an_administrator();
create trigger keep_an_administrator after delete or update of state on identity.person
    for each row when (old.state = 'active') execute function identity.keep_an_administrator();

-- Links that let somebody in, once. Of what stands in one nothing but its SHA-256 is kept; so it is with sessions.
create table identity.link (
    hash bytea primary key,
    person_id bigint not null references identity.person on delete cascade,
    kind text not null check (kind in ('invitation', 'sign-in')),
    ends_at timestamptz not null,
    used_at timestamptz
);
create index on identity.link (person_id);

create table identity.device (
    hash bytea primary key,
    person_id bigint not null references identity.person on delete cascade,
    agent text not null,
    made_at timestamptz not null default now()
);
create index on identity.device (person_id);

create table identity.session (
    session_id bigint generated always as identity primary key,
    hash bytea not null unique,
    person_id bigint not null references identity.person on delete cascade,
    lacks_code boolean not null,  -- the password was right, and the second factor is still to come
    how text not null,
    address text not null,
    agent text not null,
    made_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    ends_at timestamptz not null
);
create index on identity.session (person_id);

create table identity.recovery (
    person_id bigint not null references identity.person on delete cascade,
    hash bytea not null,
    used_at timestamptz,
    primary key (person_id, hash)
);

-- Who guesses waits longer each time. A key is the SHA-256 of an account, an address or a device.
create table identity.attempt (
    key bytea primary key,
    failures int not null,
    until timestamptz not null,
    last_at timestamptz not null default now()
);
create index on identity.attempt (last_at);
