"""Jobs: what runs at its time, when it ran last and what came of it, and when it runs next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.pages import ordered
from isthmus.runtime.events import timers
from isthmus.runtime.events.timers import JobStatus
from isthmus.store import Database

from ..client import Client
from ..web import Page, page_of, render

PAGE_SIZE: Final = 100
COLUMNS: Final[Mapping[str, Callable[[JobStatus], Any]]] = {
    "job": lambda one: one.name,
    "for": lambda one: one.front_end,
    "last": lambda one: one.ran_at,
    "outcome": lambda one: one.outcome or None,
    "next": lambda one: one.next_at,
}


class Jobs:
    """The page of jobs."""

    def __init__(self, client: Client, database: Database) -> None:
        self._client = client
        self._database = database

    def pages(self) -> list[Page]:
        return [Page("/jobs", "Jobs", self.list, group="Operate")]

    async def list(self, request: Request) -> Response:
        async with self._database.platform() as session:
            found = await timers.overview(session, self._client.release)
        shown, next_cursor = page_of(request, ordered(request, found, COLUMNS), PAGE_SIZE)
        return render(request, "jobs.html", found=shown, next_cursor=next_cursor)
