-- What a guest is known by elsewhere: an order, or the member they have become. Who is forgotten there is forgotten here.
create table sync.guest (
    front_end text collate "C" not null,
    member_id uuid not null,
    reference text collate "C" not null,
    primary key (front_end, member_id, reference)
);
create index on sync.guest (front_end, reference);
select isthmus.guard('sync.guest');
