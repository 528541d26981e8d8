"""The composition root: the only file that names every pack. Everything is built here, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from isthmus.config import Config
from isthmus.flows.after_sale.pack import AFTER_SALE
from isthmus.flows.checkout.pack import CHECKOUT
from isthmus.kernel import FrontEnd, Pack, Platform, Registry
from isthmus.kernel.release import Release
from isthmus.packs.catalog.pack import PACK as CATALOG
from isthmus.packs.fulfilment.pack import PACK as FULFILMENT
from isthmus.packs.inventory.pack import PACK as INVENTORY
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.packs.order.pack import PACK as ORDER
from isthmus.packs.payment import api as payment
from isthmus.packs.payment.pack import PACK as PAYMENT
from isthmus.packs.pricing.pack import PACK as PRICING
from isthmus.packs.promotion.pack import PACK as PROMOTION
from isthmus.packs.tax.pack import PACK as TAX
from isthmus.runtime.loading import front_end_folders, load_front_end
from isthmus.store import Database, MigrationSource, embedded, migrate

PACKS: tuple[Pack, ...] = (MEMBER, CATALOG, INVENTORY, PRICING, PROMOTION, TAX, ORDER, PAYMENT, FULFILMENT)
FLOWS: tuple[Pack, ...] = (CHECKOUT, AFTER_SALE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A platform at work, with what it stands on."""

    config: Config
    platform: Platform
    database: Database


def build(front_ends: Iterable[FrontEnd]) -> Release:
    """Check all packs, flows and these front ends together. Raises BuildProblems with everything that is wrong."""
    return Registry().add(*PACKS, *FLOWS, *front_ends).freeze()


def load_front_ends(config: Config) -> list[FrontEnd]:
    """Return the front ends in the configured folder."""
    return [load_front_end(folder) for folder in front_end_folders(config.front_ends)]


def migration_sources() -> list[MigrationSource]:
    """Return the migrations of every pack, in the order in which they are applied."""
    return [MigrationSource.of_pack(pack.name, pack.migrations) for pack in (*PACKS, *FLOWS) if pack.migrations]


@asynccontextmanager
async def running(config: Config, front_ends: Sequence[FrontEnd] | None = None) -> AsyncGenerator[Running]:
    """Start everything, the embedded PostgreSQL included where no database is configured, and stop it in the end."""
    release = build(load_front_ends(config) if front_ends is None else front_ends)
    server = None if config.database_url else embedded.start(config.data)
    url = config.database_url or (server.url if server else "")
    try:
        await migrate(url, migration_sources())
        async with await Database.open(url) as database:
            resources = {payment.Providers: payment.Providers.built_in()}
            platform = Platform(release, database, resources=resources)
            yield Running(config=config, platform=platform, database=database)
    finally:
        if server is not None:
            server.stop()
