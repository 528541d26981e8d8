-- Goods of which each unit has a number. They are parts of a stock, as lots are: what has no number is the rest of it. A
-- number is one unit's of its owner; which unit goes to which order is known to whoever sells it, and to nobody else.
create table inventory.serial (
    front_end text collate "C" not null,  -- whose it is
    sku text collate "C" not null,
    serial text collate "C" not null,
    location text collate "C" not null,
    state text not null check (state in ('stocked', 'held', 'shipped', 'gone')),
    seller text collate "C",  -- who holds or sold it
    came_at timestamptz not null,
    primary key (front_end, sku, serial),
    foreign key (front_end, sku, location) references inventory.stock,
    check ((state in ('held', 'shipped')) = (seller is not null))
) with (fillfactor = 80);
select isthmus.guard('inventory.serial');
create index serial_there on inventory.serial (front_end, sku, location, came_at) where state in ('stocked', 'held');

-- Which units a reservation holds by their numbers: rows of who sells them.
create table inventory.serial_hold (
    front_end text collate "C" not null,
    reference text collate "C" not null,
    owner text collate "C" not null,
    sku text collate "C" not null,
    serial text collate "C" not null,
    primary key (owner, sku, serial),
    foreign key (owner, sku, serial) references inventory.serial,
    foreign key (front_end, reference) references inventory.reservation
);
select isthmus.guard('inventory.serial_hold');
create index on inventory.serial_hold (front_end, reference, sku);

-- What happened to a unit: what its owner sees of it, and what who sold it sees, each in rows of their own.
create table inventory.serial_step (
    id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    sku text collate "C" not null,
    serial text collate "C" not null,
    kind text not null,
    location text collate "C" not null,
    reference text not null,
    seller text collate "C",
    at timestamptz not null
);
select isthmus.guard('inventory.serial_step');
create index on inventory.serial_step (front_end, sku, serial, id);
create index on inventory.serial_step (front_end, reference);
revoke update, delete on inventory.serial_step from isthmus_app;

-- Hold units by their numbers for a reservation of the front end that calls, no more than it holds of the goods. With the
-- owner's rights: who sells lent stock sees no numbers but its own. No row for one that cannot be held: it is not there,
-- or another reservation has it.
create function inventory.hold_serials(of_reference text, skus text[], serials text[])
    returns table (place bigint, is_over boolean)
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    me constant text := current_setting('isthmus.front_end', true);
begin
    return query
    with asked as (
        select a.sku, a.serial, a.place from unnest(skus, serials) with ordinality as a (sku, serial, place)
    ), promised as (
        select l.stock_of, l.sku, l.location, sum(l.quantity - l.shipped - l.released) as units
        from inventory.reservation_line l
        where l.front_end = me and l.reference = of_reference group by 1, 2, 3
    ), found as (
        select a.place, s.front_end, s.sku, s.serial, p.units, s.location from asked a
        join promised p on p.sku = a.sku
        join inventory.serial s on s.front_end = p.stock_of and s.sku = a.sku and s.serial = a.serial
            and s.location = p.location
        where s.state = 'stocked' or s.state = 'held' and exists (
            select from inventory.serial_hold h where h.owner = s.front_end and h.sku = s.sku and h.serial = s.serial
                and h.front_end = me and h.reference = of_reference)
        order by s.sku, s.serial for no key update of s
    ), held as (
        update inventory.serial s set state = 'held', seller = me from found f
        where s.front_end = f.front_end and s.sku = f.sku and s.serial = f.serial
    ), kept as (
        insert into inventory.serial_hold (front_end, reference, owner, sku, serial)
        select me, of_reference, f.front_end, f.sku, f.serial from found f on conflict do nothing
    )
    select f.place, f.units < (
        select count(*) from found other where other.sku = f.sku and other.location = f.location
    ) + (
        select count(*) from inventory.serial_hold h join inventory.serial s
            on s.front_end = h.owner and s.sku = h.sku and s.serial = h.serial
        where h.front_end = me and h.reference = of_reference and h.sku = f.sku and s.location = f.location
            and not exists (select from found other where other.sku = h.sku and other.serial = h.serial)
    ) from found f;
end $$;
revoke execute on function inventory.hold_serials(text, text[], text[]) from public;
grant execute on function inventory.hold_serials(text, text[], text[]) to isthmus_app;

-- What a reservation ships leaves by number: those that it holds first, then what came in first. What it lets go can be
-- held by others again. Stocks without numbers are asked for one row.
create function inventory.move_serials() returns trigger
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    due bigint := new.shipped - old.shipped;
    must_leave bigint;  -- more units have numbers than are left: only then one goes that another reservation holds
    excess bigint;
    one record;
begin
    if not exists (select from inventory.serial s where s.front_end = new.stock_of and s.sku = new.sku
            and s.location = new.location and s.state in ('stocked', 'held')) then
        return null;
    end if;
    select count(*) - min(t.on_hand) - count(*) filter (where s.state = 'stocked' or h.serial is not null)
        into must_leave
        from inventory.serial s
        join inventory.stock t on t.front_end = s.front_end and t.sku = s.sku and t.location = s.location
        left join inventory.serial_hold h on h.owner = s.front_end and h.sku = s.sku and h.serial = s.serial
            and h.front_end = new.front_end and h.reference = new.reference
        where s.front_end = new.stock_of and s.sku = new.sku and s.location = new.location
            and s.state in ('stocked', 'held');
    for one in
        select s.serial, s.state from inventory.serial s
        left join inventory.serial_hold h on h.owner = s.front_end and h.sku = s.sku and h.serial = s.serial
            and h.front_end = new.front_end and h.reference = new.reference
        where s.front_end = new.stock_of and s.sku = new.sku and s.location = new.location
            and s.state in ('stocked', 'held') and due > 0
            and (s.state = 'stocked' or h.serial is not null or must_leave > 0)
        order by h.serial is null, s.state = 'held', s.came_at, s.serial limit due for no key update of s skip locked
    loop
        delete from inventory.serial_hold
            where owner = new.stock_of and sku = new.sku and serial = one.serial;
        update inventory.serial set state = 'shipped', seller = new.front_end
            where front_end = new.stock_of and sku = new.sku and serial = one.serial;
        insert into inventory.serial_step (front_end, sku, serial, kind, location, reference, at)
            values (new.front_end, new.sku, one.serial, 'ship', new.location, new.reference, now());
        if new.stock_of <> new.front_end then
            insert into inventory.serial_step (front_end, sku, serial, kind, location, reference, seller, at)
                values (new.stock_of, new.sku, one.serial, 'ship', new.location, '', new.front_end, now());
        end if;
    end loop;
    select (select count(*) from inventory.serial_hold h join inventory.serial s
                on s.front_end = h.owner and s.sku = h.sku and s.serial = h.serial
            where h.front_end = new.front_end and h.reference = new.reference and h.sku = new.sku
                and h.owner = new.stock_of and s.location = new.location)
        - (select sum(l.quantity - l.shipped - l.released) from inventory.reservation_line l
            where l.front_end = new.front_end and l.reference = new.reference and l.sku = new.sku
                and l.stock_of = new.stock_of and l.location = new.location) into excess;
    for one in
        select h.serial from inventory.serial_hold h join inventory.serial s
            on s.front_end = h.owner and s.sku = h.sku and s.serial = h.serial
        where h.front_end = new.front_end and h.reference = new.reference and h.sku = new.sku
            and h.owner = new.stock_of and s.location = new.location
        order by s.came_at desc, h.serial desc limit greatest(0, excess)
    loop
        delete from inventory.serial_hold where owner = new.stock_of and sku = new.sku and serial = one.serial;
        update inventory.serial set state = 'stocked', seller = null
            where front_end = new.stock_of and sku = new.sku and serial = one.serial;
    end loop;
    return null;
end $$;
create trigger line_moves_serials after update of shipped, released on inventory.reservation_line
    for each row when (new.shipped > old.shipped or new.released > old.released)
    execute function inventory.move_serials();

-- Take units in by their numbers: new ones, those that had left, and, of another's, those that the front end that calls had
-- sold. Returns those that could be: a number that is there already is another unit's.
create function inventory.take_in_serials(
    owners text[], skus text[], locations text[], serials text[], states text[], of_kind text, of_reference text,
    since timestamptz
) returns table (place bigint)
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    me constant text := current_setting('isthmus.front_end', true);
begin
    return query
    with given as (
        select * from unnest(owners, skus, locations, serials, states) with ordinality
            as g (owner, sku, location, serial, state, place)
    ), put as (
        insert into inventory.serial as known (front_end, sku, serial, location, state, came_at)
        select g.owner, g.sku, g.serial, g.location, g.state, since from given g
        where g.owner = me or exists (select from inventory.serial s where s.front_end = g.owner and s.sku = g.sku
            and s.serial = g.serial and s.state = 'shipped' and s.seller = me)
        order by g.sku collate "C", g.serial collate "C"
        on conflict (front_end, sku, serial) do update
            set state = excluded.state, location = excluded.location, seller = null, came_at = excluded.came_at
            where known.state in ('shipped', 'gone') and (known.front_end = me or known.seller = me)
        returning known.front_end, known.sku, known.serial
    ), told as (
        insert into inventory.serial_step (front_end, sku, serial, kind, location, reference, seller, at)
        select distinct on (g.place, seen.by) seen.by, g.sku, g.serial, of_kind, g.location,
            case when seen.by = me then of_reference else '' end, nullif(me, seen.by), since
        from put join given g on g.owner = put.front_end and g.sku = put.sku and g.serial = put.serial
        cross join lateral (values (g.owner), (me)) as seen (by)
    )
    select g.place from put
    join given g on g.owner = put.front_end and g.sku = put.sku and g.serial = put.serial;
end $$;
revoke execute on function inventory.take_in_serials(text[], text[], text[], text[], text[], text, text, timestamptz)
    from public;
grant execute on function inventory.take_in_serials(text[], text[], text[], text[], text[], text, text, timestamptz)
    to isthmus_app;

-- A place at which more units have numbers than are there now, of what a call has changed: of another's stock too.
create function inventory.serials_beyond(owners text[], skus text[], locations text[])
    returns table (sku text, location text)
    language sql stable security definer set search_path = pg_catalog
begin atomic
    select s.sku, s.location from inventory.serial s
    join inventory.stock t on t.front_end = s.front_end and t.sku = s.sku and t.location = s.location
    where s.front_end = any (owners) and s.sku = any (skus) and s.location = any (locations)
        and s.state in ('stocked', 'held')
    group by s.sku, s.location having count(*) > min(t.on_hand) order by s.sku, s.location limit 1;
end;
revoke execute on function inventory.serials_beyond(text[], text[], text[]) from public;
grant execute on function inventory.serials_beyond(text[], text[], text[]) to isthmus_app;
