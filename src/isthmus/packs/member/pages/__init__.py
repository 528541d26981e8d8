"""Members: find one by what they are known by, see what they did, set what an operator may set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from isthmus.kernel import errors
from isthmus.pages import Asked, Client, Found, GoTo, Shown, ordered

FIND: Final = "member.find-member"
GET: Final = "member.get-member"
KINDS: Final = ("email", "phone", "card", "external")
LATEST: Final = 12
COLUMNS: Final[Mapping[str, Callable[[tuple[str, Any]], Any]]] = {
    "name": lambda pair: (
        f"{pair[1]['profile']['given_name']} {pair[1]['profile']['family_name']}".strip().lower() or None
    ),
    "front_end": lambda pair: pair[0],
    "state": lambda pair: pair[1]["state"],
    "tier": lambda pair: pair[1]["tier"] or None,
    "points": lambda pair: pair[1]["points"],
    "joined": lambda pair: datetime.fromisoformat(pair[1]["joined_at"]),
}


async def show_list(request: Asked, client: Client) -> Shown:
    asked = {name: request.query_params.get(name, "").strip() for name in ("q", "kind", "front_end")}
    codes = [asked["front_end"]] if asked["front_end"] else client.users(FIND)
    found = await _found(client, asked["q"], asked["kind"], codes) if asked["q"] else []
    return {
        "asked": asked,
        "codes": client.users(FIND),
        "kinds": KINDS,
        "found": ordered(request, found, COLUMNS),
        "latest": [] if asked["q"] else ordered(request, await _latest(client, codes), COLUMNS),
    }


async def _found(client: Client, text: str, kind: str, codes: list[str]) -> list[tuple[str, Any]]:
    """Return the members that are known by a text, of each front end: by the kind that was chosen, or by any."""
    kinds = (kind,) if kind else ("email",) if "@" in text else KINDS[1:]
    found: list[tuple[str, Any]] = []
    for code in codes:
        asks = [(GET, {"member_id": text}), *((FIND, {"kind": one, "value": text}) for one in kinds)]
        for name, ask in asks:
            if member := await client.find(code, name, ask):
                found.append((code, member))
                break
    return found


async def _latest(client: Client, codes: list[str]) -> list[tuple[str, Any]]:
    """Return members who ordered last, so that the page shows something before anything was typed in."""

    async def of(code: str) -> list[tuple[str, Any]]:
        page = await client.find(code, "order.list-orders", {"limit": LATEST})
        items: list[dict[str, Any]] = page["items"] if page else []
        ids = dict.fromkeys(one["member_id"] for one in items if one["member_id"])
        asks = [client.find(code, GET, {"member_id": one}) for one in list(ids)[: LATEST // len(codes)]]
        return [(code, member) for member in await asyncio.gather(*asks) if member]

    return [pair for found in await asyncio.gather(*map(of, codes)) for pair in found]


async def show_one(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def segments(request: Asked, client: Client) -> Shown | GoTo:
    """Set the segments that a member is in."""
    code, member_id = request.path_params["front_end"], request.path_params["member_id"]
    fields = request.form
    wanted = fields.get("segments", "").replace(",", " ").split()
    try:
        await client.call(code, "member.set-segments", {"member_id": member_id, "segments": wanted})
    except errors.Refusal as refused:
        return await _shown(request, client, refused)
    return GoTo(f"/members/{code}/{member_id}", {"done": "segments"})


async def _shown(request: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    code, member_id = request.path_params["front_end"], request.path_params["member_id"]
    member = await client.call(code, GET, {"member_id": member_id})
    orders = await client.find(code, "order.list-orders", {"member_id": member_id, "limit": 10})
    points = await client.find(
        code, "member.list-points", {"member_id": member_id, "cursor": request.query_params.get("cursor")}
    )
    elsewhere: list[tuple[str, str]] = []
    for other in client.users(FIND):
        for known in member["identities"] if other != code else ():
            ask = {"kind": known["kind"], "value": known["value"]}
            if same := await client.find(other, FIND, ask):
                elsewhere.append((other, same["member_id"]))
                break
    return {
        "code": code,
        "member": member,
        "orders": (orders or {"items": []})["items"],
        "points": points or {"items": [], "next_cursor": None},
        "elsewhere": elsewhere,
        "own_segments": [one for one in member["segments"] if ":" not in one],
        "may_segment": client.may(code, "member.set-segments"),
        "refused": refused,
        "done": request.query_params.get("done", ""),
    }


async def find(text: str, front_end: str, client: Client) -> list[Found]:
    """Return the member that is known by a text: an e-mail address, or an id."""
    if "@" in text:
        member = await client.find(front_end, FIND, {"kind": "email", "value": text})
    else:
        member = await client.find(front_end, GET, {"member_id": text}) if _is_id(text) else None
    return [Found("member", text, f"/members/{front_end}/{member['member_id']}", front_end)] if member else []


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
