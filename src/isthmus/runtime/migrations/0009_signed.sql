-- Who signed which version, and what waits for another person. Only the platform's own sessions reach these tables.

-- What a version asks of whoever deploys its front end while it runs.
alter table runtime.version add column asks text not null default '' check (asks in ('', 'signed', 'four-eyes'));

-- By which key a decision was signed, and who approved it, where that was somebody else's part.
alter table runtime.switch add column signing_key text not null default '';
alter table runtime.switch add column approved_by text not null default '' check (approved_by <> made_by or approved_by = '');

-- What a signature is over beside what it is about: each is good once, and not for long by the database's clock.
create table runtime.challenge (
    challenge text primary key check (challenge ~ '^[0-9a-f]{64}$'),
    made_at timestamptz not null default now()
);
create index challenge_by_age on runtime.challenge (made_at);

-- Each signature with what it is over and the key that it is by, so that anybody can look at it again.
create table runtime.signature (
    id bigint generated always as identity primary key,
    front_end text not null,
    hash text not null,
    act text not null check (act in ('deploy', 'approve')),
    person text not null,
    key text not null,
    public_key bytea not null check (length(public_key) = 32),
    statement text not null,
    signature bytea not null check (length(signature) = 64),
    made_at timestamptz not null default now(),
    foreign key (front_end, hash) references runtime.version (front_end, hash)
);
create index signature_of_version on runtime.signature (front_end, hash, id desc);

-- Versions that were checked, tested and compared, and wait until another person approves them.
create table runtime.proposal (
    number bigint generated always as identity primary key,
    front_end text not null,
    hash text not null,
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    percent integer not null check (percent between 1 and 100),
    shadow integer not null check (shadow between 0 and 100),
    findings text not null,
    based_on bigint not null,  -- the switch that it was compared with; 0: none
    author text not null,
    key text not null,
    made_at timestamptz not null default now(),
    state text not null default 'waiting' check (state in ('waiting', 'done', 'refused')),
    decided_by text not null default '',
    decided_at timestamptz,
    note text not null default '',
    constraint approved_by_another check (state <> 'done' or (decided_by <> '' and decided_by <> author)),
    foreign key (front_end, hash) references runtime.version (front_end, hash)
);
create index proposal_of_front_end on runtime.proposal (front_end, number desc);
