"""The audit log in the console: found by who, what, when and how it ended."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from isthmus.kernel import errors, ports
from isthmus.manifest.actions import EVERYWHERE
from isthmus.pages import Asked, Client, Found, Shown, moment_of

from .. import api
from ..service.journal import Journal

LIST: Final = "audit.list-entries"
PAGE_SIZE: Final = 30
FIELDS: Final = ("call", "capability", "client", "person", "outcome")
PLATFORM: Final = "platform"  # the client by which the platform's own jobs call


async def show_list(request: Asked, client: Client) -> Shown:
    codes = [*client.users(LIST), *([EVERYWHERE] if await _may_see_all(client) else [])]
    query = request.query_params
    asked = {name: query.get(name, "").strip() for name in (*FIELDS, "front_end", "cursor", "from", "until", "jobs")}
    code = asked["front_end"] or next(iter(codes), "")
    ask = {name: asked[name] for name in FIELDS} | {
        "since": moment_of(request, "from"),
        "until": moment_of(request, "until"),
        "without_client": "" if asked["jobs"] or asked["client"] else PLATFORM,
        "limit": PAGE_SIZE,
        "cursor": asked["cursor"],
    }
    if code == EVERYWHERE:
        await client.check(api.list_entries)
        page = await _everywhere(client, ask)
    else:
        page: dict[str, Any] = await client.call(code, LIST, ask) if code else {"items": [], "next_cursor": None}
    head = await client.find(code, "audit.get-head", {}) if code not in ("", EVERYWHERE) else None
    return {"asked": asked, "code": code, "codes": codes, "page": page, "head": head}


async def _may_see_all(client: Client) -> bool:
    try:
        await client.check(api.list_entries)
    except errors.NotPermitted:
        return False
    return True


async def _everywhere(client: Client, ask: dict[str, Any]) -> Any:
    """Return entries of what is of no single front end, such as who was invited, as a call's answer has them."""
    asked = api.ListEntries(**{name: value for name, value in ask.items() if value not in (None, "")})
    journal = cast(Journal, client.resource(ports.Journal))
    return msgspec.to_builtins(await journal.everywhere(asked))


async def find(text: str, front_end: str, client: Client) -> list[Found]:
    """Return what the log has of a call's id, or of a person."""
    by = "call" if len(text) == 36 else "person"
    found = await client.find(front_end, LIST, {by: text, "limit": 1})
    if not found or not found["items"]:
        return []
    return [Found("audit", text, f"/audit?front_end={front_end}&{by}={text}&jobs=1", front_end)]
