"""The manifest of inventory."""

from __future__ import annotations

from isthmus.kernel import Condition, Pack
from isthmus.manifest import DemoData, Every, Job, Page, Personal, Search, Within

from . import api, entities
from .service import lending, lots, reservations, serials, stock

PACK = Pack(
    name="inventory",
    owner="supply",
    api=api,
    service=(reservations, stock, lending, lots, serials),
    migrations="isthmus.packs.inventory:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            because="where goods go is looked at when a place is chosen for them, and not kept",
            purposes={
                "address": "to choose the place that the goods leave from",
                "name": "it comes with the address, and nothing is done with it",
                "phone": "it comes with the address, and nothing is done with it",
            },
        ),
        Within(
            kind="seller",
            capabilities=(api.receive, api.adjust, api.count, api.set_limits, api.list_stock, api.list_movements),
        ),
        Job(name="inventory.expire", when=Every(seconds=15), calls=api.expire),
        Page(
            path="/stock",
            menu="Stock",
            at="isthmus.packs.inventory.pages:show_list",
            template="stocks.html",
            needs=api.list_stock,
        ),
        Page(
            path="/stock/{front_end}/{sku:path}",
            at="isthmus.packs.inventory.pages:show_one",
            template="stock.html",
            needs=api.list_stock,
        ),
        Page(
            path="/stock/{front_end}/{sku:path}",
            at="isthmus.packs.inventory.pages:act",
            template="stock.html",
            needs=api.list_stock,
            is_form=True,
        ),
        Page(
            path="/lent-stock",
            menu="Lent stock",
            at="isthmus.packs.inventory.pages:show_lent",
            template="lent.html",
            needs=api.list_lent,
        ),
        Search(at="isthmus.packs.inventory.pages:find", needs=api.list_stock),
        # what was good until midnight is for sale at most so much longer
        Job(name="inventory.expire-lots", when=Every(seconds=60), calls=api.expire_lots),
        DemoData(
            name="inventory.stock",
            doc="Stock of the demo's goods in one warehouse.",
            at="isthmus.packs.inventory.demo:load_stock",
            needs=(api.put_locations, api.receive),
        ),
    ),
    conditions=(
        Condition(
            name="inventory.on-hand",
            sentence="Stock on hand is the sum of its movements: receipts less shipments, more or less adjustments.",
            sql="""
                select s.front_end, s.sku, s.location, s.on_hand, coalesce(m.moved, 0) as moved
                from inventory.stock s
                left join (select front_end, sku, location, sum(quantity) as moved
                           from inventory.movement group by front_end, sku, location) m
                    on m.front_end = s.front_end and m.sku = s.sku and m.location = s.location
                where s.on_hand <> coalesce(m.moved, 0)
                limit 100""",
        ),
        Condition(
            name="inventory.lots-are-of-the-stock",
            sentence="Lots are parts of their stock and the sum of what came and went; what has expired is counted.",
            sql="""
                select s.front_end, s.sku, s.location, s.on_hand, s.expired, l.units, l.over, l.moved
                from inventory.stock s
                join (select front_end, sku, location, sum(on_hand) as units,
                          coalesce(sum(on_hand) filter (where is_expired), 0) as over,
                          sum((select coalesce(sum(quantity), 0) from inventory.lot_movement m
                               where m.front_end = lot.front_end and m.sku = lot.sku
                                   and m.location = lot.location and m.lot = lot.lot)) as moved
                      from inventory.lot group by front_end, sku, location) l
                    on l.front_end = s.front_end and l.sku = s.sku and l.location = s.location
                where l.units > s.on_hand or l.over <> s.expired or l.moved <> l.units
                limit 100""",
        ),
        Condition(
            name="inventory.serials-are-of-the-stock",
            sentence="No more units have numbers than are there, and each that is held by number is held once.",
            sql="""
                select s.front_end, s.sku, s.location, count(*) as units, min(t.on_hand) as on_hand,
                    count(*) filter (where s.state = 'held') as held, count(h.serial) as held_for
                from inventory.serial s
                left join inventory.stock t on t.front_end = s.front_end and t.sku = s.sku and t.location = s.location
                left join inventory.serial_hold h
                    on h.owner = s.front_end and h.sku = s.sku and h.serial = s.serial and h.front_end = s.seller
                where s.state in ('stocked', 'held') group by s.front_end, s.sku, s.location
                having count(*) > min(t.on_hand) or count(*) filter (where s.state = 'held') <> count(h.serial)
                limit 100""",
        ),
        Condition(
            name="inventory.held-by-number",
            sentence="No reservation holds more units by number than it holds of the goods there.",
            sql="""
                select h.front_end, h.reference, h.sku, s.location, count(*) as by_number, min(l.held) as held
                from inventory.serial_hold h
                join inventory.serial s on s.front_end = h.owner and s.sku = h.sku and s.serial = h.serial
                left join (select front_end, reference, sku, location, stock_of,
                               sum(quantity - shipped - released) as held
                           from inventory.reservation_line group by front_end, reference, sku, location, stock_of) l
                    on l.front_end = h.front_end and l.reference = h.reference and l.sku = h.sku
                        and l.location = s.location and l.stock_of = h.owner
                group by h.front_end, h.reference, h.owner, h.sku, s.location
                having count(*) > coalesce(min(l.held), 0) limit 100""",
        ),
        Condition(
            name="inventory.reserved",
            sentence="What is reserved of a stock is the sum of what reservations hold of it.",
            sql="""
                select s.front_end, s.sku, s.location, s.reserved, coalesce(h.held, 0) as held
                from inventory.stock s
                left join (select stock_of, sku, location, sum(quantity - shipped - released) as held
                           from inventory.reservation_line group by stock_of, sku, location) h
                    on h.stock_of = s.front_end and h.sku = s.sku and h.location = s.location
                where s.reserved <> coalesce(h.held, 0)
                limit 100""",
        ),
        Condition(
            name="inventory.no-oversell",
            sentence="0 <= reserved <= on hand + declared back-order, for each stock.",
            sql="""
                select front_end, sku, location, on_hand, reserved, back_ordered
                from inventory.stock
                where reserved < 0 or on_hand < 0 or reserved > on_hand + back_ordered
                limit 100""",
        ),
        Condition(
            name="inventory.lent-is-counted",
            sentence="What a seller took under a grant is what its reservations took, within its quota.",
            sql="""
                select coalesce(one.grant_id, taken.grant_id) as grant_id, coalesce(one.sku, taken.sku) as sku,
                    one.front_end, one.seller, one.taken, one.held, one.most, taken.units, taken.held as held_by_lines
                from inventory.lent one
                full join (select grant_id, sku, stock_of, front_end as seller, sum(quantity - released) as units,
                               sum(quantity - shipped - released) as held
                           from inventory.reservation_line where grant_id is not null
                           group by grant_id, sku, stock_of, front_end) taken
                    on taken.grant_id = one.grant_id and taken.sku = one.sku and taken.seller = one.seller
                        and taken.stock_of = one.front_end
                where one.taken is distinct from taken.units or one.held is distinct from taken.held
                    or one.taken > one.most
                limit 100""",
        ),
        Condition(
            name="inventory.lent-by-a-grant",
            sentence="Nobody holds another's stock but under a grant of its owner to sell from that location.",
            sql="""
                select l.front_end, l.reference, l.owner, l.location, l.grant_id
                from inventory.reservation_line l
                left join isthmus.row_grant g on g.grant_id = l.grant_id and g.owner = l.owner
                    and g.to_front_end = l.front_end and g.name = l.location and g.can = 'use'
                where l.owner is not null and g.grant_id is null
                limit 100""",
        ),
        Condition(
            name="inventory.reservation-ends",
            sentence="A reservation that has ended holds nothing, and one that holds nothing has ended.",
            sql="""
                select r.front_end, r.reference, r.state, sum(l.quantity - l.shipped - l.released) as held
                from inventory.reservation r
                join inventory.reservation_line l on l.front_end = r.front_end and l.reference = r.reference
                group by r.front_end, r.reference, r.state
                having (sum(l.quantity - l.shipped - l.released) > 0) <> (r.state in ('held', 'confirmed'))
                limit 100""",
        ),
    ),
)
