"""Dead letters: events that a subscription failed on too often; to be read, and sent again once it is fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import errors
from isthmus.manifest.actions import RESEND
from isthmus.pages import BIGINT_MAX, ordered
from isthmus.runtime.events import dead_letters
from isthmus.runtime.events.dead_letters import DeadLetter
from isthmus.store import Database
from isthmus.values import whole_number

from ..client import Client
from ..web import Page, form, page_of, redirect, render

PAGE_SIZE: Final = 50
COLUMNS: Final[Mapping[str, Callable[[DeadLetter], Any]]] = {
    "event": lambda one: one.event_type,
    "for": lambda one: (one.front_end, one.capability),
    "made": lambda one: one.made_at,
    "tries": lambda one: one.attempts,
    "failed": lambda one: one.last_error,
}


class DeadLetters:
    """The pages of dead letters."""

    def __init__(self, client: Client, database: Database) -> None:
        self._client = client
        self._database = database

    def pages(self) -> list[Page]:
        return [
            Page("/dead-letters", "Dead letters", self.list, group="Operate"),
            Page("/dead-letters", "", self.send_again, ("POST",), action=RESEND),
        ]

    async def of(self, front_end: str) -> int:
        """Return how many a front end has."""
        async with self._database.platform() as session:
            return len(await dead_letters.listed(session, front_end))

    async def list(self, request: Request) -> Response:
        front_end = request.query_params.get("front_end") or None
        async with self._database.platform() as session:
            found = await dead_letters.listed(session, front_end)
        shown, next_cursor = page_of(request, ordered(request, found, COLUMNS), PAGE_SIZE)
        return render(
            request,
            "dead_letters.html",
            found=shown,
            whole=len(found),
            front_end=front_end,
            codes=sorted({one.front_end for one in found}),
            next_cursor=next_cursor,
            done=request.query_params.get("done", ""),
        )

    async def send_again(self, request: Request) -> Response:
        """Have one dead letter, or all of a front end, delivered again."""
        fields = await form(request)
        front_end, number = fields.get("front_end") or None, whole_number(fields.get("number"), 0, BIGINT_MAX)
        if number is None and front_end is None:
            raise errors.BadAsk("nothing was chosen", remedy="send one again, or all of a front end")
        async with self._database.platform_transaction() as session:
            count = await dead_letters.send_again(session, front_end, number)
            said = {"of": front_end or "", "number": number, "count": count}
            await self._client.doer().note(session, RESEND.name, said)
        return redirect(request, "/dead-letters", done=str(count))
