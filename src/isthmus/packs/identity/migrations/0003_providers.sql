-- Whom a provider vouches for, by its own name and its name of them: an address alone gives nobody an account.
create table identity.login (
    issuer text not null,
    subject text not null,
    person_id bigint not null references identity.person on delete cascade,
    made_at timestamptz not null default now(),
    primary key (issuer, subject)
);
create index on identity.login (person_id);

-- Which session of the provider's a sign-in came with, so that it ends when the provider says so.
alter table identity.session add column issuer text not null default '';
alter table identity.session add column sid text not null default '';
