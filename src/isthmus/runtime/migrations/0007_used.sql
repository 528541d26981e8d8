-- What a recorded call used: processor time of its own steps, time of its statements, rows. Nothing of what is older.
alter table runtime.recorded_call
    add column cpu_us integer,
    add column db_us integer,
    add column rows integer;
