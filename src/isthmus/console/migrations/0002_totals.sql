-- All calls since the beginning, of all server processes together: what is scraped must never go back, as sums by hour
-- do when old hours are forgotten. Times and sizes are those of console.traffic.
create table console.total (
    front_end text not null,
    capability text not null,
    calls bigint not null,
    took_us bigint not null,
    by_bound bigint[] not null,
    errors jsonb not null default '{}',
    primary key (front_end, capability)
) with (fillfactor = 50);
