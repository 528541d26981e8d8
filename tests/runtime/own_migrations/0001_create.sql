create table note (
    subject text not null,
    what text not null,
    at timestamptz not null default clock_timestamp()
);
