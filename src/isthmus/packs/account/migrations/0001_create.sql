-- Shoppers of the whole group. Only the platform's own sessions reach these tables, but for `link`, which calls of a
-- front end write. Every time is the database's; of what a browser or a shop holds nothing but its SHA-256 is kept.
create table account.account (
    account_id uuid primary key default gen_random_uuid(),
    address text unique check (address ~ '^[!-~]+@[a-z0-9.-]+$'),  -- null: erased
    made_at timestamptz not null default now()
);

-- What a shop has asked for, while somebody signs in for it: `hash` is of the secret that their browser keeps.
create table account.interaction (
    hash bytea primary key,
    client text not null,
    request text not null,  -- JSON, checked
    ends_at timestamptz not null
);

-- Links by e-mail. What makes one valid is not here: a keyed hash of its id.
create table account.link (
    link_id uuid primary key,
    front_end text not null,
    address text not null,
    interaction text not null,  -- of the browser that asked: it is good there alone
    made_at timestamptz not null default now(),
    used_at timestamptz
);
create index on account.link (address, made_at);
select isthmus.guard('account.link');
revoke update on account.link from isthmus_app;

create table account.session (
    session_id uuid primary key default gen_random_uuid(),
    hash bytea not null unique,
    account_id uuid not null references account.account on delete cascade,
    made_at timestamptz not null default now(),
    ends_at timestamptz not null
);
create index on account.session (account_id);

create table account.consent (
    account_id uuid not null references account.account on delete cascade,
    client text not null,
    scope text not null,
    given_at timestamptz not null default now(),
    primary key (account_id, client)
);

-- Tokens that came of one sign-in at one shop. `ended`: why none of them is good any more.
create table account.family (
    family_id uuid primary key default gen_random_uuid(),
    session_id uuid not null references account.session on delete cascade,
    client text not null,
    scope text not null,
    made_at timestamptz not null default now(),
    ends_at timestamptz not null,
    ended text not null default ''
);
create index on account.family (session_id);

create table account.code (
    hash bytea primary key,
    family_id uuid not null references account.family on delete cascade,
    redirect_uri text not null,
    challenge text not null,
    nonce text not null,
    ends_at timestamptz not null,
    used_at timestamptz
);
create index on account.code (family_id);

-- Refresh tokens: each is good once. Whoever brings a used one has stolen it, or has been stolen from.
create table account.refresh (
    hash bytea primary key,
    family_id uuid not null references account.family on delete cascade,
    made_at timestamptz not null default now(),
    used_at timestamptz
);
create index on account.refresh (family_id);

-- Keys that sign: shown from the moment they are made, so that nobody meets an unknown one, and until what they signed
-- has run out. `sealed` is the private key under the key of the platform's data.
create table account.key (
    kid text primary key,
    sealed text not null,
    public text not null,
    made_at timestamptz not null default now(),
    signs_at timestamptz not null
);

-- Shops that have still to hear that a session has ended.
create table account.notice (
    session_id uuid not null,
    account_id uuid not null,
    client text not null,
    tries int not null default 0,
    next_at timestamptz not null default now(),
    primary key (session_id, client)
);

-- Erases accounts by their addresses, for a call that forgets persons: what a shop holds of them is good no more.
create function account.forget(addresses text[]) returns void
    language sql security definer set search_path = ''
as $$
    insert into account.notice (session_id, account_id, client)
    select distinct f.session_id, a.account_id, f.client
    from account.account a join account.session s using (account_id) join account.family f using (session_id)
    where a.address = any(addresses) on conflict do nothing;
    delete from account.link where address = any(addresses);
    delete from account.account where address = any(addresses);
$$;
