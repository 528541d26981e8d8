"""Placing and paying an order of each kind over HTTP: what a kind costs beside an order of a guest.

One `isthmus serve` process, a key on both calls, 8 connections. All kinds take turns on one PostgreSQL, each with
baskets of 5 goods: a guest's, a member's who earns points, one of three sellers that is split into three orders, a
presale of which a fifth is due at once, and one of goods that cost nothing. `paid` puts a guest's order beside the
limit by hand.
"""

from __future__ import annotations

import random
import statistics
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from bench import _kinds
from bench import _shop as shop
from bench.paid import Buying, Meter, Took, paying
from isthmus.flows.checkout import api as checkout
from isthmus.kernel import Value
from isthmus.packs.member import api as member
from isthmus.packs.pricing import api as pricing

GOODS = 500  # of each shelf
MEMBERS = 200
UNITS = 10_000_000
CLIENTS = 8
LINES = 5

Row = dict[str, Any]


class Kind(Value):
    """An order of one kind: its name, from which shelves its goods come, and what its ask says besides."""

    name: str
    shelves: tuple[str, ...]
    order_kind: str = "standard"
    has_member: bool = False
    orders: int = 1  # that it is split into
    parts: int = 1  # that it is paid in


KINDS = (
    Kind(name="of a guest", shelves=("own",)),
    Kind(name="of a member, with points", shelves=("own",), has_member=True),
    Kind(name="of three sellers, in three orders", shelves=("first", "second", "third"), orders=3),
    Kind(name="with a deposit", shelves=("own",), order_kind="presale", parts=2),
    Kind(name="for nothing", shelves=("free",)),
)
SOURCE = Path(_kinds.__file__).read_text()
SHELVES = ("own", "first", "second", "third", "free")


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return shop.run(_rows(rounds))


async def _rows(rounds: int) -> list[Row]:
    async with shop.database("paid_kinds") as url:
        key = ""
        for shelf in SHELVES:
            seller = shelf if shelf in ("first", "second", "third") else _kinds.OWN
            key = await shop.stocked(url, _goods(shelf), UNITS, seller=seller, front_end=_kinds.FRONT_END)
        members = await _set_up(url)
        async with shop.serving(url, source=SOURCE) as server:
            meter = await Meter.of(url, server.process)
            sides = [_buyers(kind, server.port, key, members) for kind in KINDS]
            for side in sides:
                await meter.turn(side)
            await shop.analyse(url)
            turns = [[await meter.turn(side) for side in sides] for _ in range(rounds)]
            await meter.close()
            await _check_points(url)
    return [row for at, kind in enumerate(KINDS) for row in _figures(kind, [(turn[at], turn[0]) for turn in turns])]


def _goods(shelf: str) -> list[str]:
    return [f"{shelf}-{number:05}" for number in range(GOODS)]


async def _set_up(url: str) -> list[uuid.UUID]:
    """Put free goods at their price, and return members."""
    async with shop.running(url, _kinds.FRONT_END) as running:
        call = running.platform.call
        prices = tuple(
            pricing.PriceEntry(sku=sku, currency=shop.CURRENCY, amount=0, valid_from=shop.LONG_AGO)
            for sku in _goods("free")
        )
        await call(pricing.put_prices, pricing.PutPrices(prices=prices), shop.CALLER)
        asks = [
            member.Register(identities=(member.Identity(kind="email", value=f"buyer-{number}@example.com"),))
            for number in range(MEMBERS)
        ]
        return [(await call(member.register, ask, shop.CALLER)).member_id for ask in asks]


def _buyers(kind: Kind, port: int, key: str, members: Sequence[uuid.UUID]) -> list[Buying]:
    """Return clients of one kind; each has members of its own, as a person buys once at a time."""

    def asking(client: int) -> Buying:
        own = members[client::CLIENTS]

        def ask() -> dict[str, Any]:
            skus = random.sample([sku for shelf in kind.shelves for sku in _goods(shelf)], LINES)
            if len(kind.shelves) > 1:  # each seller has a line at least
                skus[: len(kind.shelves)] = [random.choice(_goods(shelf)) for shelf in kind.shelves]
            lines = tuple(checkout.BuyLine(sku=sku, quantity=1) for sku in dict.fromkeys(skus))
            said = {"currency": shop.CURRENCY, "lines": lines, "order_kind": kind.order_kind}
            return {**said, "member_id": random.choice(own)} if kind.has_member else said

        def check(placed: dict[str, Any]) -> bool:
            parts = 1 + (placed["balance_payment_id"] is not None)
            return len(placed["orders"]) == kind.orders and parts == kind.parts

        return paying(port, key, ask, check)

    return [asking(client) for client in range(CLIENTS)]


async def _check_points(url: str) -> None:
    """Break off if members got no points: something else than what is said would have been measured."""
    connection = await asyncpg.connect(url)
    moved = await connection.fetchval("select count(*) from member.points_movement")
    await connection.close()
    if not moved:
        raise RuntimeError("no member earned points")


def _figures(kind: Kind, turns: Sequence[tuple[Took, Took]]) -> list[Row]:
    def median(what: str) -> float:
        return statistics.median(getattr(own, what) for own, _ in turns)

    def row(name: str, what: str, unit: str) -> Row:
        guests = statistics.median(getattr(guest, what) for _, guest in turns)
        ratio = statistics.median(getattr(own, what) / getattr(guest, what) for own, guest in turns)
        against = f"an order of a guest: {guests:,.4g} {unit}"
        named = {"name": name, "value": median(what), "unit": unit, "against": against}
        return {**named, "ratio": ratio, "aim": "reported", "met": None}

    name = f"paid orders {kind.name}"
    return [
        row(name, "rate", "orders/s"),
        row(f"{name}: p50", "p50_ms", "ms"),
        row(f"{name}: p99", "p99_ms", "ms"),
        row(f"{name}: the server's processor time", "server_ms", "ms"),
        row(f"{name}: PostgreSQL's processor time", "postgres_ms", "ms"),
        row(f"{name}: transactions", "transactions", "each"),
        row(f"{name}: write-ahead log", "wal_kb", "kB"),
    ]
