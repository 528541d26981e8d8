-- How many events a recorded call emitted.
alter table runtime.recorded_call add column events integer;
-- Processor time that replays of recorded calls took.
create table runtime.replayed (
    at timestamptz not null default now(),
    front_end text not null,
    calls bigint not null,
    cpu_us bigint not null
);
create index replayed_by_age on runtime.replayed (at);
select isthmus.guard('runtime.replayed');
