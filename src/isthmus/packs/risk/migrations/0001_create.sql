-- What is judged, by which rules, and who looks at what nobody could decide.

-- What a person, card or address did, at all front ends: a keyed hash, a kind and a time. A call sees counts of it, through
-- the function below, and no row.
create table risk.sighting (
    key_hash bytea not null,
    at timestamptz not null,
    front_end text collate "C" not null,
    kind text not null,
    is_rejected boolean not null default false
);
create index on risk.sighting (key_hash, at);
create index on risk.sighting (at);

-- Lists that staff of a front end keep; `until`: then it is on it no more.
create table risk.listed (
    front_end text collate "C" not null,
    list text collate "C" not null,
    mark text not null,
    key_hash bytea not null,
    until timestamptz,
    why text not null,
    by text not null,
    at timestamptz not null,
    primary key (front_end, key_hash, list)
);
select isthmus.guard('risk.listed');

-- Versions of a front end's rules: never changed, so that a decision can be made again by those that made it.
create table risk.scenario (
    front_end text collate "C" not null,
    version integer not null check (version > 0),
    content jsonb not null,
    state text not null check (state in ('draft', 'shadow', 'live', 'ended')),
    tried jsonb,
    made_by text not null,
    made_at timestamptz not null,
    primary key (front_end, version)
);
create unique index one_scenario_is_live on risk.scenario (front_end) where state = 'live';
select isthmus.guard('risk.scenario');

-- What was decided, with all that it was decided by. label: what it turned out to be.
create table risk.decision (
    front_end text collate "C" not null,
    decision_id uuid not null,
    at timestamptz not null,
    kind text not null,
    reference text not null,
    version integer not null,
    facts jsonb not null,
    answers jsonb not null,
    score integer not null,
    outcome text not null,
    reasons jsonb not null,
    shadows jsonb not null,
    hashes bytea[] not null,
    label text check (label in ('fraud', 'honest')),
    primary key (front_end, decision_id)
);
create index on risk.decision (front_end, at desc, decision_id desc);
create index on risk.decision (front_end, kind, reference);
create index on risk.decision using gin (hashes);
select isthmus.guard('risk.decision');

-- What waits for a person. otherwise: what is done when nobody has decided by the deadline.
create table risk.review (
    front_end text collate "C" not null,
    decision_id uuid not null,
    kind text not null,
    reference text not null,
    member_id uuid,
    deadline timestamptz not null,
    otherwise text not null check (otherwise in ('release', 'reject')),
    state text not null check (state in ('open', 'released', 'rejected', 'closed')),
    opened_at timestamptz not null,
    ended_at timestamptz,
    ended_by text not null default '',
    why text not null default '',
    primary key (front_end, decision_id)
);
create unique index one_open_review on risk.review (front_end, kind, reference) where state = 'open';
create index on risk.review (front_end, state, deadline);
select isthmus.guard('risk.review');

-- Note that something happens, and say what is known of each mark of it: how often the same happened within a time that
-- ends now, its beginning not included; how often it was rejected; at how many front ends; and on which lists it is. Who does
-- the same with the same mark at this moment waits, so no two of them see the same count.
create function risk.see(kind text, marks text[], hashes bytea[], at timestamptz) returns json
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    here text := current_setting('isthmus.front_end', true);
begin
    perform pg_advisory_xact_lock(('x' || encode(substr(one, 1, 8), 'hex'))::bit(64)::bigint)
        from (select distinct one from unnest(hashes) as one order by one) as ordered;
    insert into risk.sighting (key_hash, at, front_end, kind)
        select one, see.at, here, see.kind from unnest(hashes) as one;
    return (
        select json_object_agg(given.mark, json_build_object('seen', seen.said, 'lists', listed.said))
        from unnest(marks, hashes) as given (mark, key_hash)
        cross join lateral (
            select json_build_object(
                'm10', count(*) filter (where one.kind = see.kind and one.at > see.at - interval '10 minutes'),
                'h1', count(*) filter (where one.kind = see.kind and one.at > see.at - interval '1 hour'),
                'd1', count(*) filter (where one.kind = see.kind and one.at > see.at - interval '24 hours'),
                'd7', count(*) filter (where one.kind = see.kind and one.at > see.at - interval '168 hours'),
                'd30', count(*) filter (where one.kind = see.kind),
                'rejected', count(*) filter (where one.is_rejected),
                'front_ends', count(distinct one.front_end)) as said
            from risk.sighting one
            where one.key_hash = given.key_hash and one.at > see.at - interval '720 hours' and one.at <= see.at) as seen
        cross join lateral (
            select coalesce(json_agg(list order by list), '[]') as said from risk.listed
            where listed.front_end = here and listed.key_hash = given.key_hash
              and (listed.until is null or listed.until > see.at)) as listed);
end $$;
revoke execute on function risk.see(text, text[], bytea[], timestamptz) from public;
grant execute on function risk.see(text, text[], bytea[], timestamptz) to isthmus_app;

-- Remember a rejection that came after the fact, as of a person who looked at it.
create function risk.reject(hashes bytea[], kind text, at timestamptz) returns void
    language sql security definer set search_path = pg_catalog
begin atomic
    update risk.sighting set is_rejected = true
    where key_hash = any (hashes) and front_end = current_setting('isthmus.front_end', true)
      and sighting.kind = reject.kind and sighting.at = reject.at;
end;
revoke execute on function risk.reject(bytea[], text, timestamptz) from public;
grant execute on function risk.reject(bytea[], text, timestamptz) to isthmus_app;

-- Forget what was seen of marks.
create function risk.unsee(hashes bytea[]) returns void
    language sql security definer set search_path = pg_catalog
begin atomic
    delete from risk.sighting where key_hash = any (hashes);
end;
revoke execute on function risk.unsee(bytea[]) from public;
grant execute on function risk.unsee(bytea[]) to isthmus_app;
