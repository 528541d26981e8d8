"""Devices in the console: whose they are, when they were seen, and the button that cuts one off."""

from __future__ import annotations

from typing import Any, Final

from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

LIST: Final = "devices.list-devices"
SHOWN: Final = (
    *(mark("active"), mark("cut-off"), mark("reported as lost")),
    mark("a copy of it is about: it signed a number that was used"),
)  # states and reasons, for their translation


async def show(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    query = request.query_params
    code = query.get("front_end") or next(iter(codes), "")
    member = query.get("member", "")[:64]
    found: Any = await client.call(code, LIST, {"member_id": member, "limit": 200}) if code else {"items": []}
    return {"code": code, "codes": codes, "found": found, "member": member, "done": query.get("done", "")}


async def act(request: Asked, client: Client) -> GoTo:
    """Cut a device off."""
    code = request.form.get("front_end", "")
    await client.call(code, "devices.cut-off", {"device_id": request.form.get("device", "")})
    return GoTo("/devices", {"front_end": code, "done": "cut"})
