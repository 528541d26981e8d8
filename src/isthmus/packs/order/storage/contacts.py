"""Whom an order is for and where it goes, kept encrypted where the platform has orders so.

The key is the order's own, for members and for guests, whom nothing else names: erasing somebody names their orders,
and a seller who sees an order by a wall sees its key by the same wall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from isthmus.kernel import decode, encode, ports
from isthmus.sealing import Sealed, Seals
from isthmus.values import Address, composed

TABLE: Final = '"order".orders'
# What stays in the clear of an address is what stays of it once its person is erased: taxes and reports go by it.
COARSE: Final = """jsonb_build_object('country', address -> 'country', 'region', coalesce(address -> 'region', '""'))"""
SEALED: Final = (
    Sealed(column="address", into="sealed_address", subject="order_id::text", empty=COARSE),
    Sealed(
        column="contact_email", into="sealed_email", subject="order_id::text", empty="''", hashed="email_hash"
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What of an order's contact stands in the clear, and what sealed."""

    email: str
    address: bytes | None
    sealed_email: bytes | None = None
    sealed_address: bytes | None = None
    email_hash: bytes | None = None


NOWHERE: Final = b"null"
NOBODYS: Final = Contact(email="", address=None)


def in_the_clear(email: str, address: Address | None) -> Contact:
    return Contact(email=email, address=address and encode(address))


async def sealed(
    session: ports.Session, front_end: str, order_id: UUID, clear: Contact, seals: Seals, *, is_first: bool
) -> Contact:
    """Return a contact as it is written where orders are sealed. is_first: the order is new."""
    if clear == NOBODYS:
        return clear
    texts = [clear.address or NOWHERE, clear.email.encode()]
    address, email = await seals.seal(session, front_end, str(order_id), TABLE, texts, is_first=is_first)
    return Contact(
        email="",
        address=coarse(_address(clear.address)),
        sealed_address=address,
        sealed_email=email,
        email_hash=await hashed(clear.email, seals),
    )


async def opened(
    rows: Sequence[ports.Row], session: ports.Session, seals: Seals
) -> list[tuple[str, Address | None]]:  # fmt: skip
    """Return the e-mail address and the address of each order's row. Raises PersonKeyMissing."""
    kept = [
        (str(row["order_id"]), one)
        for row in rows
        for one in (row["sealed_address"], row["sealed_email"])
        if one is not None
    ]
    texts = iter(await seals.open_each(session, TABLE, kept) if kept else ())
    found: list[tuple[str, Address | None]] = []
    for row in rows:
        address = row["address"] if row["sealed_address"] is None else next(texts)
        email = row["contact_email"] if row["sealed_email"] is None else next(texts).decode()
        found.append((email, _address(address)))
    return found


def coarse(address: Address | None) -> bytes | None:
    """Return what of an address stays in the clear."""
    return address and encode({"country": address.country, "region": address.region})


async def hashed(email: str, seals: Seals) -> bytes | None:
    """Return by what orders of an e-mail address are found; nothing where none are sealed."""
    return await seals.hashed(composed(email).lower()) if email else None


async def hashes(emails: Sequence[str], seals: Seals) -> list[bytes]:
    """Return the hashes of e-mail addresses, of those that have one."""
    return [one for email in emails if (one := await hashed(email, seals)) is not None]


def _address(text: bytes | None) -> Address | None:
    return None if text in (None, NOWHERE) else decode(text, Address)
