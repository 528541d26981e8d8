"""Load the catalogue, members, prices and stock of the source, through the same capabilities as anybody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from rich.progress import Progress

from demo import group, patience, shelf
from demo.source import Source
from isthmus.app.demo import load_demo
from isthmus.app.platform import Running
from isthmus.kernel import Caller, errors
from isthmus.manifest.demo import demo_goods
from isthmus.packs.catalog import api as catalog
from isthmus.packs.inventory import api as inventory
from isthmus.packs.member import api as member
from isthmus.packs.pricing import api as pricing

T = TypeVar("T")
Members = dict[tuple[str, str], Any]

BATCH = 1_000  # what one ask takes
CURRENCY = "USD"
YEAR_BEGINS = datetime(2016, 12, 31, tzinfo=UTC)
ONLINE_STOCK = 50  # units of each SKU that was sold, in the warehouse, for whoever tries the API afterwards
WAREHOUSE = "warehouse"
BY_WEIGHT = "fresh"  # who sells by weight too, and brings goods in booked windows


def caller(front_end: str) -> Caller:
    """Return the demo as a client of a front end."""
    return Caller(front_end=front_end, client="demo")


async def everything(running: Running, source: Source, progress: Progress) -> Members:
    """Load all, and return the member ids by front end and household."""
    await _products(running, source, progress)
    members = await _members(running, source, progress)
    await group.join(running, members)
    await _prices(running, source, progress)
    await _stock(running, source, progress)
    await _delivery(running, source)
    return members


async def _products(running: Running, source: Source, progress: Progress) -> None:
    rows = list(source.products())
    first = caller(source.front_ends()[0])
    departments = sorted({row[3] or "OTHER" for row in rows})
    categories = sorted({(row[3] or "OTHER", row[4]) for row in rows})
    drafts = [catalog.CategoryDraft(code=name, name=name) for name in departments]
    drafts += [catalog.CategoryDraft(code=f"{top}/{name}", name=name, parent=top) for top, name in categories]
    platform = running.platform
    for part in _parts(drafts):
        await patience.call(platform, catalog.put_categories, catalog.PutCategories(categories=part), first)
    sellers = [
        catalog.SellerDraft(code=str(code), name=f"Manufacturer {code}") for code in sorted({row[2] for row in rows})
    ]
    for part in _parts(sellers):
        await patience.call(platform, catalog.put_sellers, catalog.PutSellers(sellers=part), first)
    await _each(
        progress,
        "products",
        _parts([_draft(row) for row in rows]),
        lambda part: platform.call(catalog.import_products, catalog.ImportProducts(products=part), first),
    )
    priced = {(front_end, sku) for front_end, sku, *_ in source.prices()}  # what was never sold has none: not offered
    for front_end in source.front_ends():
        offered = [row[1] for row in rows if (front_end, row[1]) in priced]
        listings = [catalog.Listing(sku=sku, offered_from=YEAR_BEGINS) for sku in offered]
        await _each(
            progress,
            f"assortment of {front_end}",
            _parts(listings),
            lambda part, code=front_end: platform.call(catalog.publish, catalog.Publish(listings=part), caller(code)),
        )


def _draft(row: tuple[Any, ...]) -> catalog.ProductDraft:
    front_end, sku, seller, department, category, kind, brand, size = row
    department = department or "OTHER"
    title = " ".join(part for part in (kind or category, size) if part)
    return catalog.ProductDraft(
        code=sku,
        title=title.title(),
        category=f"{department}/{category}",
        brand=brand or "",
        seller=str(seller),
        tax_category=department.replace(" ", "-").replace("&", "and").replace("/", "-"),
        attributes={"department": department},
        variants=(
            catalog.Variant(sku=sku, attributes={"size": size} if size else {}),
            *(shelf.loose(sku, size) if front_end == BY_WEIGHT else ()),
        ),
    )


async def _members(running: Running, source: Source, progress: Progress) -> Members:
    members: Members = {}
    by_front_end: dict[str, list[str]] = defaultdict(list)
    for front_end, household in source.households():
        by_front_end[str(front_end)].append(str(household))
    for front_end, households in by_front_end.items():

        async def register(part: Sequence[str], code: str = front_end) -> None:
            asks = tuple(
                member.Registration(
                    identities=(member.Identity(kind="card", value=f"household-{one}", is_verified=True),)
                )
                for one in part
            )
            joined = await running.platform.call(member.register_many, member.RegisterMany(members=asks), caller(code))
            members.update({(code, one): new.member_id for one, new in zip(part, joined.items, strict=True)})

        await _each(progress, f"members of {front_end}", _parts(households), register)
    return members


async def _prices(running: Running, source: Source, progress: Progress) -> None:
    by_front_end: dict[str, list[pricing.PriceEntry]] = defaultdict(list)
    latest: dict[tuple[str, str], pricing.PriceEntry] = {}
    for front_end, sku, location, since, listed, paid, per in source.prices():
        entry = pricing.PriceEntry(
            sku=sku,
            currency=CURRENCY,
            amount=max(listed, paid),
            sale_amount=paid if paid < listed else None,
            per=per,
            location=location,
            valid_from=since.replace(tzinfo=UTC),
        )
        by_front_end[front_end].append(entry)
        known = latest.get((front_end, sku))
        if known is None or known.valid_from < entry.valid_from:
            latest[front_end, sku] = entry
    packs = {row[1]: found for row in source.products() if row[0] == BY_WEIGHT and (found := shelf.pounds(row[7]))}
    loose = [entry for (front_end, _), entry in latest.items() if front_end == BY_WEIGHT]
    await shelf.put_loose(running, caller(BY_WEIGHT), packs, loose, YEAR_BEGINS)
    for (front_end, _), entry in latest.items():  # sold online at the last price of any shop
        by_front_end[front_end].append(
            pricing.PriceEntry(
                sku=entry.sku,
                currency=CURRENCY,
                amount=entry.amount,
                sale_amount=entry.sale_amount,
                per=entry.per,
                valid_from=YEAR_BEGINS,
            )
        )
    for front_end, entries in by_front_end.items():
        await _each(
            progress,
            f"prices of {front_end}",
            _parts(entries),
            lambda part, code=front_end: running.platform.call(
                pricing.put_prices, pricing.PutPrices(prices=part), caller(code)
            ),
        )


async def _stock(running: Running, source: Source, progress: Progress) -> None:
    """Receive what will be sold: into a front end's own locations, or into the group's that it sells from."""
    by_owner: dict[str, list[inventory.Receipt]] = defaultdict(list)
    online: dict[str, set[str]] = defaultdict(set)
    for front_end, sku, location, quantity in source.sold():
        whose = group.owner(running) if front_end in group.SELLERS else front_end
        by_owner[whose].append(inventory.Receipt(sku=sku, quantity=quantity, location=location))
        online[whose].add(sku)
    for whose, skus in online.items():
        by_owner[whose] += [
            inventory.Receipt(sku=sku, quantity=ONLINE_STOCK, location=WAREHOUSE) for sku in sorted(skus)
        ]
    for front_end, receipts in by_owner.items():
        places = tuple(_place(code) for code in sorted({receipt.location for receipt in receipts}))
        for part in _parts(places):
            located = inventory.PutLocations(items=part)
            await patience.call(running.platform, inventory.put_locations, located, caller(front_end))
            if front_end == group.owner(running):
                await group.lend(running, part)
        await _each(
            progress,
            f"stock of {front_end}",
            _parts(receipts),
            lambda part, code=front_end: running.platform.call(
                inventory.receive,
                inventory.Receive(reference=_reference(part), lines=part),
                caller(code),
                now=YEAR_BEGINS,  # before it is sold: stock by date is never below zero
            ),
        )


def _reference(lines: Sequence[inventory.Receipt]) -> str:
    """Return the reference of a receipt, by what is first on it: each line is on one receipt alone."""
    return f"year-begins-{lines[0].location}-{lines[0].sku}-{len(lines)}"


def _place(code: str) -> inventory.Location:
    name = "Warehouse" if code == WAREHOUSE else f"Shop {code.partition('-')[2]}"
    return inventory.Location(code=code, name=name, country="US")


async def _delivery(running: Running, source: Source) -> None:
    for front_end in source.front_ends():
        ways = ["fulfilment.post", *(["fulfilment.van"] if front_end == BY_WEIGHT else [])]

        async def load(code: str = front_end, only: Sequence[str] = ways) -> None:
            await load_demo(running, front_ends=[code], only=only, goods=demo_goods(CURRENCY))

        await patience.again(load, errors.Trouble)
    await group.lend_stores(running, {place for code, _, place, _ in source.sold() if code == group.STORES})


def _parts(items: Sequence[T]) -> list[tuple[T, ...]]:
    return [tuple(items[at : at + BATCH]) for at in range(0, len(items), BATCH)]


async def _each(
    progress: Progress, what: str, parts: Iterable[tuple[T, ...]], load: Callable[[tuple[T, ...]], Awaitable[object]]
) -> None:
    parts = list(parts)
    task = progress.add_task(what, total=len(parts))
    for part in parts:
        await patience.in_parts(load, part)
        progress.advance(task)
