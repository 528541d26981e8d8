-- What a front end keeps of a line that it sold for somebody else.
alter table "order".lines add column commission_minor bigint not null default 0
    check (commission_minor between 0 and total_minor);
