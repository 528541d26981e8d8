-- A place where goods are picked up can be lent: whoever is granted its use offers it under the same code, with rates of
-- their own, as long as the grant stands.
alter table fulfilment.method add column lent_by text collate "C";
-- contract: no row has it yet
alter table fulfilment.method add constraint lent_places check (lent_by is null or (lent_by <> front_end and kind = 'pickup'));
select isthmus.lend('fulfilment.method', 'code');

-- Who has how many shipments waiting at the places of this session's front end; not for which orders.
create function fulfilment.guests() returns table (method text, seller text, waiting bigint, collected bigint)
    language sql stable security definer set search_path = pg_catalog
begin atomic
    select place.code, shipment.front_end, count(*) filter (where shipment.state <> 'delivered'),
        count(*) filter (where shipment.state = 'delivered')
    from fulfilment.method place join fulfilment.shipment
        on shipment.front_end = place.front_end and shipment.method = place.code
            and shipment.state not in ('cancelled', 'returned')
    where place.lent_by = current_setting('isthmus.front_end', true)
    group by place.code, shipment.front_end order by place.code, shipment.front_end;
end;
revoke execute on function fulfilment.guests() from public;
grant execute on function fulfilment.guests() to isthmus_app;
