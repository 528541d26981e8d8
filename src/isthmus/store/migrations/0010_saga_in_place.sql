-- A saga that moves on keeps its row's page and its place in every index: what finds those that were left goes by what
-- their steps do not change. `tries` is counted up only by who takes a saga that was left.
create index saga_open on isthmus.saga (tries) where ask is not null;
-- contract: an index that nothing asks by its name; an older server finds the few that are under way without it
drop index isthmus.saga_left;

-- Break off a transaction whose saga is not where its runner thinks.
create function isthmus.saga_moved(wanted uuid, known integer) returns void
    language plpgsql
as $$
begin
    raise exception 'saga % is not at %', wanted, known using errcode = 'IS001';
end $$;
