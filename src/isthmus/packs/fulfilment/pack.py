"""The manifest of fulfilment."""

from __future__ import annotations

from isthmus.kernel import Condition, Pack
from isthmus.manifest import DemoData, Every, Job, Keeps, Page, Paid, Personal, Resource, Step, Within, clear

from . import api, entities
from .service import delivery, forgetting, rates, shipments
from .storage import shipments as storage

WITHIN = (
    api.list_shipments, api.get_shipment, api.list_steps, api.pack, api.ship, api.deliver, api.fail, api.take_back,
)  # fmt: skip

PACK = Pack(
    name="fulfilment",
    owner="delivery",
    api=api,
    service=(delivery, rates, shipments, forgetting),
    migrations="isthmus.packs.fulfilment:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Paid(points=(api.delivery_fee,)),
        Within(kind="seller", capabilities=WITHIN),
        Within(kind="order", capabilities=WITHIN),
        Page(
            path="/parcels",
            menu="Parcels",
            at="isthmus.packs.fulfilment.pages:show",
            template="parcels.html",
            needs=api.list_shipments,
        ),
        Page(
            path="/parcels",
            at="isthmus.packs.fulfilment.pages:deliver",
            template="parcels.html",
            needs=api.list_shipments,
            is_form=True,
        ),
        Step(
            name="deliver",
            calls=(api.list_methods, api.list_slots, api.book_slot, api.quote_delivery, api.get_shipment),
            begins=(api.ship,),
            ends=(api.deliver,),
            complaints=(api.fail,),
        ),
        Personal(
            forgets=api.forget,
            purposes={
                "address": "to send goods where they go, and to say what that costs",
                "name": "to address the parcel",
                "phone": "for the carrier to reach who receives the parcel",
                "free-text": "why a parcel did not arrive, or was not sent",
            },
            keeps=(
                Keeps(
                    table="fulfilment.shipment",
                    columns={"address": "address"},
                    why="where the goods go",
                    until="until the person is erased; country and region stay",
                    whose="reference = any($1)",
                    leads_to=("shipment_id::text",),
                    sealed=(storage.SEALED,),
                ),
                Keeps(
                    table="fulfilment.plan",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"asked": "address"},
                    why="tells the same order again from another one, by a digest",
                    until="until the person is erased",
                    whose="reference = any($1)",
                    hidden=("asked",),
                ),
                Keeps(
                    table="fulfilment.parcel",
                    in_the_clear=clear.REMARK,
                    columns={"reason": "free-text", "tracking": "identifier"},
                    why="where a parcel is, and why it did not arrive",
                    until="reasons until the person is erased; the number for good, as the carrier's proof",
                    whose="shipment_id::text = any($1)",
                ),
                Keeps(
                    table="fulfilment.step",
                    in_the_clear=clear.REMARK,
                    columns={"note": "free-text"},
                    why="what became of a parcel, step by step",
                    until="until the person is erased",
                    whose="shipment_id::text = any($1)",
                ),
            ),
        ),
        Resource(kind=api.RateServices, make=api.connected, settings=api.RateSettings, providers="shipping"),
        Job(name="fulfilment.forget-rates", when=Every(seconds=3600), calls=api.forget_rates),
        DemoData(
            name="fulfilment.post",
            doc="Delivery by post, free from a total.",
            at="isthmus.packs.fulfilment.demo:load_post",
            needs=(api.put_methods,),
        ),
        DemoData(
            name="fulfilment.van",
            doc="Delivery by van in windows of the next seven days.",
            at="isthmus.packs.fulfilment.demo:load_van",
            needs=(api.put_methods, api.open_slots),
        ),
    ),
    conditions=(
        Condition(
            name="fulfilment.carrier",
            sentence="A parcel has a carrier if and only if it has left.",
            sql="""
                select front_end, shipment_id, parcel, state, carrier
                from fulfilment.parcel
                where (state in ('shipped', 'delivered', 'failed', 'returned')) <> (carrier is not null)
                limit 100""",
        ),
        Condition(
            name="fulfilment.lines",
            sentence="Of each line, what is packed and shipped is what its parcels hold, and never above what is due.",
            sql="""
                select l.front_end, l.shipment_id, l.line, l.quantity, l.packed, l.shipped, l.cancelled
                from fulfilment.shipment_line l
                left join (select g.front_end, g.shipment_id, g.line, sum(g.quantity) as packed,
                                  coalesce(sum(g.quantity) filter (where p.state <> 'packed'), 0) as shipped
                           from fulfilment.parcel_line g
                           join fulfilment.parcel p on p.front_end = g.front_end and p.shipment_id = g.shipment_id
                                and p.parcel = g.parcel
                           group by g.front_end, g.shipment_id, g.line) i
                    on i.front_end = l.front_end and i.shipment_id = l.shipment_id and i.line = l.line
                where l.packed <> coalesce(i.packed, 0) or l.shipped <> coalesce(i.shipped, 0)
                    or l.packed + l.cancelled > l.quantity
                limit 100""",
        ),
        Condition(
            name="fulfilment.slots",
            sentence="What is booked in a slot is the sum of its bookings, and never above its capacity.",
            sql="""
                select s.front_end, s.slot_id, s.capacity, s.booked, coalesce(b.units, 0) as bookings
                from fulfilment.slot s
                left join (select front_end, slot_id, sum(units) as units
                           from fulfilment.booking where state = 'booked' group by front_end, slot_id) b
                    on b.front_end = s.front_end and b.slot_id = s.slot_id
                where s.booked <> coalesce(b.units, 0) or s.booked > s.capacity
                limit 100""",
        ),
    ),
)
