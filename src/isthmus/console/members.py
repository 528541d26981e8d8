"""Members: find one by what they are known by, see what they did, set what an operator may set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import errors

from .client import Client
from .web import Page, form, ordered, redirect, render

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


class Members:
    """The pages of members."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def pages(self) -> list[Page]:
        """Return the pages, or none where no front end has members."""
        if FIND not in self._client.release.offered:
            return []
        return [
            Page("/members", "Members", self.list, group="Operate"),
            Page("/members/{front_end}/{member_id}", "", self.show),
            Page("/members/{front_end}/{member_id}/segments", "", self.segments, ("POST",)),
        ]

    async def list(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "").strip() for name in ("q", "kind", "front_end")}
        codes = [asked["front_end"]] if asked["front_end"] else self._client.users(FIND)
        found = await self._found(asked["q"], asked["kind"], codes) if asked["q"] else []
        return render(
            request,
            "members.html",
            asked=asked,
            codes=self._client.users(FIND),
            kinds=KINDS,
            found=ordered(request, found, COLUMNS),
            latest=[] if asked["q"] else ordered(request, await self._latest(codes), COLUMNS),
        )

    async def _found(self, text: str, kind: str, codes: list[str]) -> list[tuple[str, Any]]:
        """Return the members that are known by a text, of each front end: by the kind that was chosen, or by any."""
        kinds = (kind,) if kind else ("email",) if "@" in text else KINDS[1:]
        found: list[tuple[str, Any]] = []
        for code in codes:
            asks = [(GET, {"member_id": text}), *((FIND, {"kind": one, "value": text}) for one in kinds)]
            for name, ask in asks:
                if member := await self._client.find(code, name, ask):
                    found.append((code, member))
                    break
        return found

    async def _latest(self, codes: list[str]) -> list[tuple[str, Any]]:
        """Return members who ordered last, so that the page shows something before anything was typed in."""

        async def of(code: str) -> list[tuple[str, Any]]:
            page = await self._client.find(code, "order.list-orders", {"limit": LATEST})
            ids = dict.fromkeys(one["member_id"] for one in (page or {"items": []})["items"] if one["member_id"])
            asks = [self._client.find(code, GET, {"member_id": one}) for one in list(ids)[: LATEST // len(codes)]]
            return [(code, member) for member in await asyncio.gather(*asks) if member]

        return [pair for found in await asyncio.gather(*map(of, codes)) for pair in found]

    async def show(self, request: Request) -> Response:
        return await self._shown(request)

    async def segments(self, request: Request) -> Response:
        """Set the segments that a member is in."""
        code, member_id = request.path_params["front_end"], request.path_params["member_id"]
        fields = await form(request)
        wanted = fields.get("segments", "").replace(",", " ").split()
        try:
            await self._client.call(code, "member.set-segments", {"member_id": member_id, "segments": wanted})
        except errors.Refusal as refused:
            return await self._shown(request, refused)
        return redirect(request, f"/members/{code}/{member_id}", done="segments")

    async def _shown(self, request: Request, refused: errors.Refusal | None = None) -> Response:
        code, member_id = request.path_params["front_end"], request.path_params["member_id"]
        client = self._client
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
        return render(
            request,
            "member.html",
            status=409 if refused else 200,
            code=code,
            member=member,
            orders=(orders or {"items": []})["items"],
            points=points or {"items": [], "next_cursor": None},
            elsewhere=elsewhere,
            may_segment=client.may(code, "member.set-segments"),
            refused=refused,
            done=request.query_params.get("done", ""),
        )
