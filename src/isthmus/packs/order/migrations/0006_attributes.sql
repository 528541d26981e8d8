-- What a front end says of its orders and lines by attributes of its own.
alter table "order".orders add column attributes jsonb not null default '{}';
alter table "order".lines add column attributes jsonb not null default '{}';
