"""The audit log in the console: found by who, what, when and how it ended."""

from __future__ import annotations

from typing import Final

from isthmus.pages import Asked, Client, Found, Shown, moment_of

LIST: Final = "audit.list-entries"
PAGE_SIZE: Final = 30
FIELDS: Final = ("call", "capability", "client", "person", "outcome")
PLATFORM: Final = "platform"  # the client by which the platform's own jobs call


async def show_list(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
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
    page = await client.call(code, LIST, ask) if code else {"items": [], "next_cursor": None}
    head = await client.find(code, "audit.get-head", {}) if code else None
    return {"asked": asked, "code": code, "codes": codes, "page": page, "head": head}


async def find(text: str, front_end: str, client: Client) -> list[Found]:
    """Return what the log has of a call's id, or of a person."""
    by = "call" if len(text) == 36 else "person"
    found = await client.find(front_end, LIST, {by: text, "limit": 1})
    if not found or not found["items"]:
        return []
    return [Found("audit", text, f"/audit?front_end={front_end}&{by}={text}&jobs=1", front_end)]
