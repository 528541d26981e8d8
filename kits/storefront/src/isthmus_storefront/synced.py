"""The basket of an app, as it is on all devices of a shopper: what they want is kept by the pack `sync`, in its order.

The platform's basket is made of it, to be priced and ordered: it follows, and never leads. A line is a document: `line`
says which goods, `wanted` how many there shall be. A guest has a scope of their own until they sign in.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

from .platform import Platform, Refused
from .shop import Shop

COLLECTION: Final = "basket"
FIELDS: Final = ("line", "wanted")  # of each change two operations, in this order
TRIES: Final = 3  # two requests of one browser may number their changes alike
AGAIN: Final = ("sync.sequence-went-back", "sync.operation-missing", "sync.client-taken")
LATER: Final = (429, 500, 502, 503, 504)  # the shop cannot say now: what waits, waits on
LINES_MAX: Final = 100  # of one ask
_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,80}")

Json = dict[str, Any]
Change = tuple[Json, int]  # a line, and how many there shall be


def operations(changes: Sequence[Change], first: int, bases: Sequence[int]) -> list[Json]:
    """Return what is pushed for changes. first: the number of the first change; bases: what was known for each."""
    return [
        {"sequence": 2 * number + place, "collection": COLLECTION, "document": document_of(line), "kind": "set"}
        | {"field": field, "value": line if field == "line" else quantity, "base": base}
        for number, ((line, quantity), base) in enumerate(zip(changes, bases, strict=True), first - 1)
        for place, field in enumerate(FIELDS, 1)
    ]


def document_of(line: Json) -> str:
    """Return what a line is called on all devices: its SKU, and a digest where it says more or has other letters."""
    digest = hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()[:16]
    if not _PLAIN.fullmatch(line["sku"]):
        return digest
    return line["sku"] if set(line) == {"sku"} else f"{line['sku']}::{digest}"


def sku_of(document: str) -> str:
    """Return the SKU of a document; of one with other letters what it is called."""
    return document.partition("::")[0]


def quantities(held: Json | None) -> dict[str, int]:
    """Return how many of each line the platform's basket has, by what the line is called."""
    return {document_of(_line(one)): one["quantity"] for one in (held["lines"] if held else ())}


def changes_of(held: Json) -> list[Change]:
    """Return what the platform's basket has, as changes."""
    return [(_line(one), one["quantity"]) for one in held["lines"]]


async def push(platform: Platform, kept: Json, client: str, asked: list[Json]) -> Json:
    """Push a device's own operations; the answer has its conflicts. Raises Refused; for `AGAIN` it begins anew."""
    ask = {"client_id": client, "member_id": _whose(kept), "operations": asked}
    return await platform.call("sync.push", ask)


async def note(platform: Platform, kept: Json, changes: Sequence[Change]) -> None:
    """Note what was changed on a page, after all that the shop knows: nothing of it is a conflict."""
    if not changes:
        return
    for left in range(TRIES - 1, -1, -1):
        client = kept.setdefault("client", uuid.uuid4().hex)
        synced = kept.get("synced", 0)
        ask = {"client_id": client, "member_id": _whose(kept), "since": synced, "collections": [COLLECTION]}
        try:
            now = await platform.call("sync.pull", ask)
            first, base = now["sequence"] // len(FIELDS) + 1, now["version"]
            done = await push(platform, kept, client, operations(changes, first, [base] * len(changes)))
            if base == synced and done["version"] == base + done["applied"]:
                kept["synced"] = done["version"]  # nobody else has changed anything meanwhile
            return
        except Refused as refused:
            if refused.slug not in AGAIN or not left:
                raise
            if refused.slug == "sync.client-taken":
                kept.pop("client")


async def bring_up_to_date(platform: Platform, shop: Shop, kept: Json) -> list[str]:
    """Make the platform's basket what is wanted on all devices; return what of it cannot be, in words."""
    if kept.get("member_id") and "guest" in kept:
        await _move(platform, kept)
    if "ordered" in kept:
        await empty(platform, kept, kept["ordered"])
    held = await _held(platform, kept)
    is_first = held is None or kept.get("synced_basket") != held["basket_id"]
    documents, version = await _documents(platform, kept, 0 if is_first else kept.get("synced", 0))
    known = quantities(held)
    changes = [one for one in map(_change, documents) if one and known.get(document_of(one[0]), 0) != one[1]]
    notes: list[str] = []
    kept["synced"] = version
    for start in range(0, len(changes), LINES_MAX):
        await _set(platform, shop, kept, changes[start : start + LINES_MAX], notes)
    if "basket_id" in kept:
        kept["synced_basket"] = kept["basket_id"]
    return notes


async def empty(platform: Platform, kept: Json, up_to: int) -> None:
    """Take out what was ordered: all that was wanted in a version; what another device added later stays."""
    kept["ordered"] = up_to  # where the shop cannot be reached, with the next page
    documents, _ = await _documents(platform, kept, 0)
    wanted = [(one["version"], change) for one in documents if (change := _change(one)) is not None and change[1]]
    await note(platform, kept, [(line, 0) for version, (line, _) in wanted if version <= up_to])
    for one in await conflicts(platform, kept):
        await platform.call("sync.settle-conflict", {"conflict_id": one["conflict_id"], "choose": "kept"})
    kept.pop("ordered")


async def conflicts(platform: Platform, kept: Json) -> list[Json]:
    """Return where two devices of a shopper said otherwise of a line, and nobody has chosen; the newest first."""
    found = await platform.call("sync.list-conflicts", {"member_id": _whose(kept)})
    return [one for one in found["items"] if (one["collection"], one["field"]) == (COLLECTION, "wanted")]


async def _set(platform: Platform, shop: Shop, kept: Json, changes: Sequence[Change], notes: list[str]) -> None:
    """Set lines of the platform's basket, all at once; where one cannot be, the others, and it is wanted no more."""
    try:
        await _put(platform, shop, kept, changes)
    except Refused as refused:
        if refused.document.get("status") in LATER:
            raise
        if len(changes) > 1:
            for one in changes:
                await _set(platform, shop, kept, [one], notes)
            return
        ((line, quantity),) = changes
        notes.append(f"{line['sku']}: {refused}")
        if quantity:
            await note(platform, kept, [(line, 0)])


async def _put(platform: Platform, shop: Shop, kept: Json, changes: Iterable[Change]) -> None:
    lines = [{**line, "quantity": quantity} for line, quantity in changes]
    if "basket_id" not in kept:
        lines = [one for one in lines if one["quantity"]]
        if not lines:
            return
        opened = await platform.call("order.open-basket", {"currency": shop.currency.code})
        kept["basket_id"] = opened["basket_id"]
    held = await platform.call("order.set-lines", {"basket_id": kept["basket_id"], "lines": lines})
    kept["count"] = len(held["lines"])


async def _held(platform: Platform, kept: Json) -> Json | None:
    """Return the platform's basket; none where it was ordered, or is kept no more."""
    if "basket_id" not in kept:
        return None
    try:
        return await platform.call("order.get-basket", {"basket_id": kept["basket_id"]})
    except Refused as refused:
        if refused.slug != "order.unknown-basket":
            raise
        for name in ("basket_id", "count"):
            kept.pop(name, None)
        return None


def _line(held: Json) -> Json:
    """Return a line of the platform's basket as it is written down: without attributes where it has none."""
    return {"sku": held["sku"]} | ({"attributes": held["attributes"]} if held["attributes"] else {})


async def _documents(platform: Platform, kept: Json, since: int, reference: str = "") -> tuple[list[Json], int]:
    """Return the lines that have changed since a version, and the version that they are of.

    reference: of a guest, whom they have become.
    """
    found: list[Json] = []
    client = kept.setdefault("client", uuid.uuid4().hex)
    ask: Json = {"client_id": client, "member_id": _whose(kept), "collections": [COLLECTION]}
    if reference:
        ask["reference"] = reference
    while True:
        pulled = await platform.call("sync.pull", ask | {"since": since})
        found += pulled["documents"]
        since = pulled["version"]
        if not pulled["is_more"]:
            return found, since


def _change(document: Json) -> Change | None:
    """Return what a document says; None where it is none of this app, or only half of it is there."""
    values = document["values"]
    line, wanted = values.get("line"), values.get("wanted")
    if not isinstance(line, dict) or "sku" not in line or not isinstance(wanted, int):
        return None
    return cast(Json, line), 0 if document["is_deleted"] else max(0, wanted)


async def _move(platform: Platform, kept: Json) -> None:
    """Have what a guest wanted be wanted by the member whom they signed in as."""
    guest = {name: kept[name] for name in ("guest", "client") if name in kept}
    documents, _ = await _documents(platform, guest, 0, reference=kept["member_id"])  # they are forgotten together
    wanted = [change for one in documents if (change := _change(one)) is not None and change[1]]
    for name in ("guest", "client", "synced", "synced_basket"):
        kept.pop(name, None)
    await note(platform, kept, wanted)
    await note(platform, guest, [(line, 0) for line, _ in wanted])


def _whose(kept: Json) -> str:
    """Return whose basket it is: the member's, else one that stands for this browser."""
    return kept.get("member_id") or kept.setdefault("guest", str(uuid.uuid4()))
