-- Calls that wait for their time: one row for each daily job of a front end (key ''), which moves on to its next day,
-- and one for each event that something follows after so long. Whoever claims a due row makes a delivery of it, in one
-- statement, so it is once over all servers. No call touches it: it is the platform's own.
create table runtime.pending_call (
    front_end text not null,
    job text not null,
    key text not null,
    schedule text not null,
    due_at timestamptz not null,
    ask json,
    primary key (front_end, job, key)
);
create index on runtime.pending_call (due_at);

-- What came of the last run of each job.
create table runtime.job_run (
    front_end text not null,
    job text not null,
    ran_at timestamptz not null,
    outcome text not null,
    primary key (front_end, job)
) with (fillfactor = 50);
