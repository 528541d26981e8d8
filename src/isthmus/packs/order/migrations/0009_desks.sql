-- A desk at which others may serve the buyers of its front end: with a grant of `order.desk` to read, they show persons
-- their orders; to use, they take goods back.
--   worth        what who keeps the goods owes for them, in hundredths of a percent of what went back; nothing said: all
create table "order".desk (
    front_end text collate "C" not null,
    code text collate "C" not null,
    name text not null,
    primary key (front_end, code)
);
select isthmus.guard('"order".desk');
insert into isthmus.shareable values ('order.desk', 'code', '{worth}');

-- Goods that are handed in at another front end than they were bought at. The row is that of whose order it is.
create table "order".hand_in (
    front_end text collate "C" not null,
    hand_in_id uuid not null,
    taker text collate "C" not null check (taker <> front_end),
    desk text collate "C" not null,
    grant_id uuid not null,
    number bigint not null,
    lines jsonb not null,
    state text not null check (state in ('asked', 'agreed', 'refused', 'taken', 'refunded')),
    worth integer not null check (worth between 0 and 10000),
    return_id uuid,
    currency text,
    refund_minor bigint check (refund_minor >= 0),
    note text not null default '',
    asked_at timestamptz not null,
    primary key (front_end, hand_in_id),
    check ((return_id is null) = (state in ('asked', 'refused')))
);
select isthmus.guard('"order".hand_in');
create index hand_ins_waiting on "order".hand_in (front_end, asked_at) where state in ('asked', 'taken');
create index hand_ins_taken on "order".hand_in (taker, asked_at);
create policy as_taker_read on "order".hand_in for select to isthmus_app
    using (taker = current_setting('isthmus.front_end', true) collate "C");
create policy as_taker_asks on "order".hand_in for insert to isthmus_app with check (
    taker = current_setting('isthmus.front_end', true) collate "C" and state = 'asked' and exists (
        select from isthmus.granted where granted.grant_id = hand_in.grant_id and granted.kind = 'order.desk'
            and granted.owner = hand_in.front_end and granted.name = hand_in.desk and granted.can = 'use'));
-- What was agreed to stays agreed when the grant goes.
create policy as_taker_takes on "order".hand_in for update to isthmus_app
    using (taker = current_setting('isthmus.front_end', true) collate "C" and state = 'agreed')
    with check (taker = current_setting('isthmus.front_end', true) collate "C" and state = 'taken');

-- Orders of members for the front end of this session: its own, and those of front ends that granted it their desk. What
-- was bought and what became of it; neither who, nor where it went.
create function "order".shown(owners text[], members uuid[], before timestamptz, most integer)
    returns table (front_end text, order_id uuid, number bigint, state text, placed_at timestamptz, currency text,
                   total_minor bigint, lines jsonb)
    language sql stable security definer set search_path = pg_catalog
begin atomic
    select o.front_end, o.order_id, o.number, o.state, o.placed_at, o.currency::text, o.total_minor,
        (select jsonb_agg(jsonb_build_object('sku', l.sku, 'title', l.title, 'quantity', l.quantity) order by l.line)
         from "order".lines l where l.front_end = o.front_end and l.order_id = o.order_id)
    from unnest(owners, members) as a (owner, member)
    join "order".orders o on o.front_end = a.owner and o.member_id = a.member and o.placed_at < before
    where a.owner = current_setting('isthmus.front_end', true) or exists (
        select from isthmus.row_grant g
        where g.owner = a.owner and g.kind = 'order.desk' and g.withdrawn_at is null
            and g.to_front_end = current_setting('isthmus.front_end', true)
            and (g.ends_at is null or g.ends_at > now()))
    order by o.placed_at desc, o.order_id desc limit most;
end;
revoke execute on function "order".shown(text[], uuid[], timestamptz, integer) from public;
grant execute on function "order".shown(text[], uuid[], timestamptz, integer) to isthmus_app;
