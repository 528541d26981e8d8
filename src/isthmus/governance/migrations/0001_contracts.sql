-- The contracts that were served, each once: what a working tree is compared with before it takes their place.
create table governance.contracts (
    digest bytea primary key,
    contracts text not null,
    first_served_at timestamptz not null default now(),
    last_served_at timestamptz not null default now()
);
