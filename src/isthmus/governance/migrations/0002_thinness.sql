-- How thin the platform was found to be, each time that it was measured.
create table governance.thinness (
    at timestamptz primary key,
    value double precision,
    report text not null
);
