-- What git says of how thin the platform was, a row a commit that was looked at: read by the console, which has no checkout.
create table governance.thinness_past (
    commit text primary key,
    at timestamptz not null,
    sample text not null
);
