-- How long calls of each front end took, minute by minute: what is needed for the busiest minutes is theirs who were there.
create table governance.load (
    minute timestamptz not null,
    front_end text not null,
    took_us bigint not null,
    primary key (minute, front_end)
);
-- Processor time of all server processes, and how long they ran: what calls did not use is the platform's own, or idle.
create table governance.process_time (
    minute timestamptz primary key,
    ran_us bigint not null,
    cpu_us bigint not null
);
-- Reports that take a while to make, by their kind: what answers cost and move, how much of a silo the platform is.
create table governance.report (
    kind text not null,
    at timestamptz not null,
    report text not null,
    primary key (kind, at)
);
