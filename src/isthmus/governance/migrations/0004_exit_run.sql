-- What came of taking each pack out of the platform, each time that it was tried.
create table governance.exit_run (
    pack text not null,
    at timestamptz not null,
    ended text not null check (ended in ('green', 'red', 'refused')),
    calls integer not null,                          -- recorded calls that were run by both, and compared
    reason text not null,                            -- why it is not green; nothing where it is
    primary key (pack, at)
);
