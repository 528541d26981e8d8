"""The register of personal data in the console."""

from __future__ import annotations

from typing import Final

from isthmus.language import mark
from isthmus.pages import Asked, Client, Shown

from .. import api
from ..service.register import Registry, register

PLACES: Final = (
    mark("table"), mark("front-end table"), mark("attribute"), mark("event"), mark("lake"), mark("call"),
)  # fmt: skip
FIELDS: Final = ("place", "owner", "kind")


async def show(asked: Asked, client: Client) -> Shown:
    """Show the entries that fit what was chosen; the fields of calls where those are asked for."""
    chosen = {name: asked.query_params.get(name, "").strip() for name in (*FIELDS, "words", "reader")}
    found = await register(client.platform, client.resource(Registry).database)
    entries = [one for one in found.entries if _fits(one, chosen)]
    return {
        "asked": chosen,
        "entries": entries,
        "callers": found.callers,
        "choices": {"place": PLACES}
        | {name: sorted({getattr(one, name) for one in found.entries}) for name in FIELDS[1:]},
    }


def _fits(one: api.Entry, chosen: dict[str, str]) -> bool:
    """Say whether an entry is shown: nothing of calls where no place is chosen, since most are of those."""
    if not chosen["place"] and one.place == "call":
        return False
    words = chosen["words"].lower()
    is_named = words in f"{one.where} {one.why}".lower()
    is_read = not chosen["reader"] or chosen["reader"] in one.readers
    return is_named and is_read and all(not chosen[name] or getattr(one, name) == chosen[name] for name in FIELDS)
