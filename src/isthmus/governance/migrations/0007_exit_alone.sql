-- A pack may stand alone though nothing can be put in its place.
-- contract: the next statement makes the same constraint again, one word wider
alter table governance.exit_run drop constraint exit_run_ended_check;
alter table governance.exit_run
    add constraint exit_run_ended_check check (ended in ('green', 'alone', 'red', 'refused'));
