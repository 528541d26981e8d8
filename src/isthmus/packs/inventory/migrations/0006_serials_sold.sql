-- Units with numbers that change their owner where goods are sold between owners. With both owners' rights, so it asks
-- itself that the front end that calls is one of them, and that the other lends it the location. Returns those that could
-- go: a unit that is not there, is held, or whose number the buyer has there already, stays.
create function inventory.sell_serials(
    sold_by text, bought_by text, skus text[], serials text[], from_location text, to_location text, of_reference text,
    since timestamptz
) returns table (place bigint)
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    me constant text := current_setting('isthmus.front_end', true);
    other constant text := case when sold_by = me then bought_by else sold_by end;
    at_others constant text := case when sold_by = me then to_location else from_location end;
begin
    if me not in (sold_by, bought_by) or sold_by = bought_by then
        return;
    end if;
    return query
    with given as (
        select * from unnest(skus, serials) with ordinality as g (sku, serial, place)
        where exists (select from isthmus.granted t where t.owner = other and t.kind = 'inventory.location'
            and t.name = at_others and t.part in ('', g.sku) and t.can = 'use')
    ), found as (
        select g.place, s.sku, s.serial from given g join inventory.serial s
            on s.front_end = sold_by and s.sku = g.sku and s.serial = g.serial and s.location = from_location
        where s.state = 'stocked' order by s.sku, s.serial for no key update of s
    ), put as (
        insert into inventory.serial as known (front_end, sku, serial, location, state, came_at)
        select bought_by, f.sku, f.serial, to_location, 'stocked', since from found f
        order by f.sku collate "C", f.serial collate "C"
        on conflict (front_end, sku, serial) do update
            set state = 'stocked', location = excluded.location, seller = null, came_at = excluded.came_at
            where known.state in ('shipped', 'gone')
        returning known.sku, known.serial
    ), gone as (
        update inventory.serial s set state = 'gone' from put p
        where s.front_end = sold_by and s.sku = p.sku and s.serial = p.serial
    ), noted as (
        insert into inventory.serial_step (front_end, sku, serial, kind, location, reference, at)
        select seen.by, p.sku, p.serial, seen.kind, seen.place,
            case when seen.by = me then of_reference else '' end, since
        from put p cross join lateral (
            values (sold_by, 'sell', from_location), (bought_by, 'buy', to_location)) as seen (by, kind, place)
    )
    select f.place from found f join put p on p.sku = f.sku and p.serial = f.serial;
end $$;
revoke execute on function inventory.sell_serials(text, text, text[], text[], text, text, text, timestamptz) from public;
grant execute on function inventory.sell_serials(text, text, text[], text[], text, text, text, timestamptz)
    to isthmus_app;
