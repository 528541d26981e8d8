-- What answered for a front end under each fingerprint that its orders keep, so that a return months later can ask it.
-- packed is null where runtime.version has the folder; both are null where it was forgotten. The fingerprint '*' is
-- for what was sold under rules that nobody kept. No call writes here: it is the platform's own.
create table runtime.rules (
    front_end text not null,
    fingerprint text not null,
    hash text check (hash ~ '^[0-9a-f]{64}$'),
    folder text,
    packed bytea check (length(packed) between 1 and 8388608),
    said_by text not null default '',               -- who said that this version stands in for rules that were lost
    kept_at timestamptz not null default now(),
    forgotten_at timestamptz,
    primary key (front_end, fingerprint),
    check ((hash is null) = (forgotten_at is not null))
);

-- A platform that is older than an hour may have orders whose rules nobody kept: the first that are kept of a front end
-- stand in for them.
insert into runtime.rules (front_end, fingerprint, forgotten_at)
select '*', '*', now() where exists (select from isthmus.migration where applied_at < now() - interval '1 hour');
