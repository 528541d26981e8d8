-- Up to here events have been deleted: a reader whose cursor lies below has missed some, and is told so.
alter table isthmus.collector add column pruned_through bigint not null default 0;
update isthmus.collector set pruned_through = coalesce(
    (select min(position) - 1 from isthmus.event),
    (select case when is_called then last_value else 0 end from isthmus.event_position_seq)
);

-- What events a front end has, so that it can grant others to read them; `*` is all of them, those to come as well.
create table isthmus.event_stream (
    front_end text collate "C" not null,
    type text collate "C" not null,
    primary key (front_end, type)
);
select isthmus.guard('isthmus.event_stream');
revoke insert, update, delete on isthmus.event_stream from isthmus_app;
select isthmus.lend('isthmus.event_stream', 'type');

-- Groups of readers outside, and how far each is. They do not keep events from being deleted, since nobody here could
-- say whether a reader comes back: who stays away for longer than events are kept is told what it has missed.
create table isthmus.event_group (
    front_end text collate "C" not null,
    name text collate "C" not null,
    position bigint not null,
    held_by text not null default '',
    held_until timestamptz not null default '-infinity',
    moved_at timestamptz not null default now(),
    primary key (front_end, name)
) with (fillfactor = 50);
select isthmus.guard('isthmus.event_group');
revoke all on isthmus.event_group from isthmus_app;
