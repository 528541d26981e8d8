-- Locations can be lent: their stock stays their owner's, and those to whom they are granted sell from it.
--   most         units that the front end may take of each SKU under the grant: held and shipped
--   share        how much of what lies there it may hold at once, in hundredths of a percent
--   aside        units set aside for it: nobody else gets what it has not taken of them, until `aside_until`
--   leave        units that it must leave to others: a buffer of the owner's, or who goes first when little is left
select isthmus.lend('inventory.location', 'code', bounds => '{most,share,aside,aside_until,leave}');

-- Whose location this is, where the front end sells from another's; it has the same code at both.
alter table inventory.location add column lent_by text collate "C" check (lent_by <> front_end);
create index location_lent on inventory.location (front_end, lent_by) where lent_by is not null;

-- What a front end has taken of another's stock under a grant. Whoever changes it has locked the stock before.
create table inventory.lent (
    grant_id uuid not null,
    sku text collate "C" not null,
    front_end text collate "C" not null,  -- whose stock it is
    location text collate "C" not null,
    seller text collate "C" not null,
    most bigint,
    taken bigint not null check (taken >= held),  -- held and shipped
    held bigint not null check (held >= 0),
    primary key (grant_id, sku),
    foreign key (front_end, sku, location) references inventory.stock,
    constraint within_quota check (taken <= most)
) with (fillfactor = 70);
create index lent_of_stock on inventory.lent (front_end, sku, location);
grant select, insert, update on inventory.lent to isthmus_app;
alter table inventory.lent enable row level security;
create policy front_end on inventory.lent to isthmus_app
    using (seller = current_setting('isthmus.front_end', true) collate "C");
create policy as_owner on inventory.lent for select to isthmus_app
    using (front_end = current_setting('isthmus.front_end', true) collate "C");

alter table inventory.reservation add column has_lent boolean not null default false;

-- Lines of a reservation that hold another's stock say whose, and under which grant.
alter table inventory.reservation_line
    add column owner text collate "C",
    add column grant_id uuid,
    add column stock_of text collate "C" generated always as (coalesce(owner, front_end)) stored;
create index on inventory.reservation_line (grant_id, sku) where grant_id is not null;
-- contract: it says of own stock what the constraint before said
alter table inventory.reservation_line
    add constraint reservation_line_stock foreign key (stock_of, sku, location) references inventory.stock;
-- contract: what a line holds may be another's; the release before does not know such lines
alter table inventory.reservation_line drop constraint reservation_line_front_end_sku_location_fkey;

-- Who sold it, where that was not the owner. The reference is the seller's, and is not shown to the owner.
alter table inventory.movement add column seller text collate "C";

-- The stock itself: seen under a grant, and as long as something of it is held; changed by who may use it.
select isthmus.lend('inventory.stock', 'location', 'inventory.location', 'sku', used_by => '{insert,update}');
-- contract: it only lets more through
create policy as_held_read on inventory.stock for select to isthmus_app using (exists (
    select from inventory.lent where lent.front_end = stock.front_end and lent.sku = stock.sku
        and lent.location = stock.location and lent.held > 0
        and lent.seller = current_setting('isthmus.front_end', true) collate "C"));
-- contract: it only lets more through
create policy as_held_update on inventory.stock for update to isthmus_app using (exists (
    select from inventory.lent where lent.front_end = stock.front_end and lent.sku = stock.sku
        and lent.location = stock.location and lent.held > 0
        and lent.seller = current_setting('isthmus.front_end', true) collate "C"));
-- contract: it only lets more through
create policy as_sold on inventory.movement for insert to isthmus_app with check (
    seller = current_setting('isthmus.front_end', true) collate "C" and exists (
        select from inventory.stock where stock.front_end = movement.front_end and stock.sku = movement.sku
            and stock.location = movement.location));

-- What may be done with stock that is lent, for the front end of this session. It counts what others have without
-- showing it. For stock of its own: how much is set aside for others. For another's: its grant, what it holds, and what
-- it could take now. No row: nothing is granted.
create function inventory.terms(owners text[], skus text[], locations text[], at timestamptz)
    returns table (owner text, sku text, location text, grant_id uuid, can text, held bigint, units bigint, aside bigint)
    language sql stable security definer set search_path = pg_catalog
begin atomic
    with asked as (
        select s.front_end, s.sku, s.location, s.on_hand,
            case when coalesce(p.is_open, true) then s.on_hand - s.reserved - s.safety else 0 end as free
        from unnest(owners, skus, locations) as a (owner, sku, location)
        join inventory.stock s on s.front_end = a.owner and s.sku = a.sku and s.location = a.location
        left join inventory.location p on p.front_end = a.owner and p.code = a.location
    ), standing as (
        select distinct on (a.front_end, a.sku, a.location, g.to_front_end)
            a.front_end, a.sku, a.location, g.grant_id, g.to_front_end, g.can,
            (g.bounds ->> 'most')::bigint as most, (g.bounds ->> 'share')::bigint as share,
            coalesce((g.bounds ->> 'leave')::bigint, 0) as leave,
            case when coalesce((g.bounds ->> 'aside_until')::timestamptz > at, true)
                then coalesce((g.bounds ->> 'aside')::bigint, 0) else 0 end as aside,
            coalesce(l.taken, 0) as taken, coalesce(l.held, 0) as held
        from asked a
        join isthmus.row_grant g on g.owner = a.front_end and g.kind = 'inventory.location' and g.name = a.location
            and g.part in ('', a.sku) and g.withdrawn_at is null and (g.ends_at is null or g.ends_at > at)
        left join inventory.lent l on l.grant_id = g.grant_id and l.sku = a.sku
        order by a.front_end, a.sku, a.location, g.to_front_end, g.part desc
    )
    select a.front_end, a.sku, a.location, mine.grant_id, mine.can, coalesce(mine.held, 0),
        case when mine.can = 'use' then greatest(0, least(
            a.free - mine.leave - others.aside, mine.most - mine.taken, mine.share * a.on_hand / 10000 - mine.held))
        else 0 end,
        others.aside
    from asked a
    left join standing mine on mine.front_end = a.front_end and mine.sku = a.sku and mine.location = a.location
        and mine.to_front_end = current_setting('isthmus.front_end', true)
    cross join lateral (
        select coalesce(sum(greatest(0, o.aside - o.taken)), 0)::bigint as aside from standing o
        where o.front_end = a.front_end and o.sku = a.sku and o.location = a.location and o.can = 'use'
            and o.to_front_end <> current_setting('isthmus.front_end', true)) others
    where a.front_end = current_setting('isthmus.front_end', true) or mine.grant_id is not null;
end;
revoke execute on function inventory.terms(text[], text[], text[], timestamptz) from public;
grant execute on function inventory.terms(text[], text[], text[], timestamptz) to isthmus_app;
