-- Recorded calls: what was asked, who said what, and what came of it. Pruned by age and by number per front end.
create table runtime.recorded_call (
    call_id text not null,
    front_end text not null,
    capability text not null,
    version text not null,
    box text not null,
    fingerprint text not null,
    recorded_at timestamptz not null,
    took_us integer not null,
    error text not null,
    story json not null,
    primary key (front_end, call_id)
);
create index recorded_call_by_age on runtime.recorded_call (front_end, recorded_at);
select isthmus.guard('runtime.recorded_call');
