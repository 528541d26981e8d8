"""Who shares what with whom: the grants that stand, their history, and taking one back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import errors
from isthmus.manifest.actions import WITHDRAW
from isthmus.pages import ordered
from isthmus.store import Database, sharing

from ..client import Client
from ..web import Page, form, redirect, render

SHOWN_MAX: Final = 500
COLUMNS: Final[Mapping[str, Callable[[sharing.Grant], Any]]] = {
    "owner": lambda one: one.owner,
    "what": lambda one: (one.kind, one.name, one.part),
    "with": lambda one: one.to,
    "until": lambda one: one.ends_at,
    "given": lambda one: one.given_at,
}


class Sharing:
    """The page of grants."""

    def __init__(self, client: Client, database: Database) -> None:
        self._client = client
        self._database = database

    def pages(self) -> list[Page]:
        return [
            Page("/sharing", "Sharing", self.list, group="Operate"),
            Page("/sharing", "", self.withdraw, ("POST",), action=WITHDRAW),
        ]

    async def list(self, request: Request) -> Response:
        front_end, with_past = request.query_params.get("front_end") or None, bool(request.query_params.get("past"))
        choice = sharing.Choice(standing_only=not with_past, limit=SHOWN_MAX)
        async with self._database.platform() as session:
            found = await sharing.listed(session, front_end, choice, datetime.now(UTC))
            kinds = await sharing.kinds(session)
        return render(
            request,
            "sharing.html",
            found=ordered(request, found, COLUMNS),
            kinds=kinds,
            code=front_end or "",
            codes=sorted(self._client.release.lines),
            with_past=with_past,
            done=request.query_params.get("done", ""),
        )

    async def withdraw(self, request: Request) -> Response:
        """Take one grant back, with the reason that was typed."""
        fields = await form(request)
        try:
            grant_id = UUID(fields.get("grant_id", ""))
        except ValueError:
            raise errors.BadAsk("no grant was chosen", remedy="take one of the list back") from None
        async with self._database.platform_transaction() as session:
            because, now = fields.get("because", "")[:240], datetime.now(UTC)
            owner, by = fields.get("owner", ""), self._client.doer()
            await sharing.withdraw(session, owner, grant_id, now, by.name, because)
            await by.note(session, WITHDRAW.name, {"owner": owner, "grant": str(grant_id)})
        return redirect(request, "/sharing", done="withdrawn")
