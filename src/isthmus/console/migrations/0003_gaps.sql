-- How often a part of a screen did not come, and why, by hour: of all server processes together.
create table console.gap (
    hour timestamptz not null,
    front_end text not null,
    capability text not null,
    part text not null,
    slug text not null,
    times bigint not null check (times > 0),
    primary key (hour, front_end, capability, part, slug)
);
