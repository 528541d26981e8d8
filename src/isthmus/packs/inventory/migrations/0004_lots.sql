-- Lots: what came in together and lasts as long. They are parts of a stock; what has no lot is the rest of it. Whatever
-- leaves a stock leaves the lot that expires first, and what has expired is not sold.
create table inventory.lot (
    front_end text collate "C" not null,
    sku text collate "C" not null,
    location text collate "C" not null,
    lot text collate "C" not null,
    expires_on date,  -- the last day on which it is good; null: it does not expire
    on_hand bigint not null check (on_hand >= 0),
    is_expired boolean not null default false,
    primary key (front_end, sku, location, lot),
    foreign key (front_end, sku, location) references inventory.stock
);
select isthmus.guard('inventory.lot');
create index lots_to_expire on inventory.lot (front_end, expires_on) where not is_expired and on_hand > 0;

-- Which lots went, and for what: whom to call when one has to come back.
create table inventory.lot_movement (
    id bigint generated always as identity primary key,
    front_end text collate "C" not null,
    sku text collate "C" not null,
    location text collate "C" not null,
    lot text collate "C" not null,
    kind text not null,
    quantity bigint not null check (quantity <> 0),
    reference text not null,
    at timestamptz not null
);
select isthmus.guard('inventory.lot_movement');
create index on inventory.lot_movement (front_end, sku, lot, id);
create index on inventory.lot_movement (front_end, reference);
revoke update, delete on inventory.lot_movement from isthmus_app;

-- expired: units of lots whose last day is over. channel_safety: what is kept back of a channel, where that is another
-- number than `safety`.
alter table inventory.stock add column expired bigint not null default 0 check (expired >= 0);
alter table inventory.stock add column channel_safety jsonb not null default '{}';

-- Take what leaves a stock out of its lots, those that are good first, of these what expires first; goods that are written
-- off as `expired` out of what has. Goods that are moved keep their lots. With the owner's rights: who sells lent stock
-- sees no lots.
create function inventory.take_from_lots() returns trigger
    language plpgsql security definer set search_path = pg_catalog
as $$
declare
    left_over bigint := abs(new.quantity);
    part record;
    units bigint;
    is_over boolean;
begin
    if new.quantity > 0 then
        for part in
            select gone.lot, -sum(gone.quantity) as units, min(known.expires_on) as expires_on,
                bool_or(known.is_expired) as is_over
            from inventory.lot_movement gone
            join inventory.lot known on known.front_end = gone.front_end and known.sku = gone.sku
                and known.lot = gone.lot and known.location = gone.location and gone.quantity < 0
            where gone.front_end = new.front_end and gone.reference = new.reference and gone.sku = new.sku
                and gone.kind = 'transfer' and gone.location <> new.location
            group by gone.lot order by expires_on nulls last, gone.lot
        loop
            units := least(left_over, part.units);
            exit when units <= 0;
            insert into inventory.lot as had (front_end, sku, location, lot, expires_on, on_hand, is_expired)
                values (new.front_end, new.sku, new.location, part.lot, part.expires_on, units, part.is_over)
                on conflict (front_end, sku, location, lot) do update set on_hand = had.on_hand + units
                returning is_expired into is_over;
            if is_over then
                update inventory.stock set expired = expired + units
                    where front_end = new.front_end and sku = new.sku and location = new.location;
            end if;
            insert into inventory.lot_movement (front_end, sku, location, lot, kind, quantity, reference, at)
                values (new.front_end, new.sku, new.location, part.lot, new.kind, units, new.reference, new.at);
            left_over := left_over - units;
        end loop;
        return null;
    end if;
    for part in
        select lot, on_hand, is_expired from inventory.lot
        where front_end = new.front_end and sku = new.sku and location = new.location and on_hand > 0
        order by is_expired <> (new.reason = 'expired'), expires_on nulls last, lot for update
    loop
        units := least(left_over, part.on_hand);
        exit when units <= 0;
        update inventory.lot set on_hand = on_hand - units
            where front_end = new.front_end and sku = new.sku and location = new.location and lot = part.lot;
        if part.is_expired then
            update inventory.stock set expired = expired - units
                where front_end = new.front_end and sku = new.sku and location = new.location;
        end if;
        insert into inventory.lot_movement (front_end, sku, location, lot, kind, quantity, reference, at)
            values (new.front_end, new.sku, new.location, part.lot, new.kind, -units, new.reference, new.at);
        left_over := left_over - units;
    end loop;
    return null;
end $$;
create trigger movement_leaves_lots after insert on inventory.movement
    for each row when (new.quantity < 0 or new.kind = 'transfer') execute function inventory.take_from_lots();

-- What has expired is not there for those to whom it is lent either.
create or replace function inventory.terms(owners text[], skus text[], locations text[], at timestamptz)
    returns table (owner text, sku text, location text, grant_id uuid, can text, held bigint, units bigint, aside bigint)
    language sql stable security definer set search_path = pg_catalog
begin atomic
    with asked as (
        select s.front_end, s.sku, s.location, s.on_hand,
            case when coalesce(p.is_open, true) then s.on_hand - s.reserved - s.safety - s.expired else 0 end as free
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
