"""How much of a silo the platform is: the index as it was measured last, each term with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance import silo
from isthmus.language import mark
from isthmus.store import Database

from ..web import Page, page_of, render

PAGE_SIZE: Final = 25
TITLES: Final[Mapping[silo.TermName, str]] = {
    "exits": mark("Exits are exercised"),
    "exported": mark("Data can be taken along"),
    "no-queue": mark("Front ends do not wait for the platform"),
    "declinable": mark("What it offers can be declined"),
    "unlike": mark("Nothing is there twice"),
}


class Silos:
    """The page of the silo index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pages(self) -> list[Page]:
        return [Page("/silo", "Silo", self.show)]

    async def show(self, request: Request) -> Response:
        found = await silo.last(self._database)
        chosen = request.query_params.get("term", "")
        terms = found.terms if found else ()
        term = next((one for one in terms if one.name == chosen), terms[0] if terms else None)
        shown, next_cursor = page_of(request, term.evidence if term else (), PAGE_SIZE)
        return render(
            request,
            "silo.html",
            silo=found,
            titles=TITLES,
            term=term,
            evidence=shown,
            next_cursor=next_cursor,
            alarm=silo.ALARM,
            days=silo.EXIT_DAYS.days,
        )
