-- How long changes of front ends were found to take, each time that it was measured.
create table governance.lead_time (
    at timestamptz primary key,
    report text not null
);
