-- What a front end says of its members by attributes of its own.
alter table member.membership add column attributes jsonb not null default '{}';
