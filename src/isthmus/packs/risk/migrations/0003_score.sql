-- What services said of what was about to begin, by keyed hashes of its marks; for a day.
create table risk.score (
    score_id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    kind text not null,
    service text not null,
    hashes bytea[] not null,
    at timestamptz not null,
    answer jsonb not null
);
create index on risk.score using gin (hashes);
create index on risk.score (at);
select isthmus.guard('risk.score');
