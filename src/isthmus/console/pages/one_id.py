"""One ID: pairs that may be one person, to accept or to split, and every merge and split with its evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.data.persons.one_id import OneId
from isthmus.kernel import errors
from isthmus.manifest.actions import CARE

from ..client import acting
from ..web import Page, form, redirect, render
from ..work import Work, shown

PATH: Final = "/one-id"


class OneIdPages:
    """The reviewer's page, and what its buttons do."""

    def __init__(self, one_id: OneId, resolving: Work) -> None:
        self._one_id = one_id
        self._work = resolving

    def pages(self) -> list[Page]:
        return [
            Page(PATH, "One ID", self.show, group="Data", action=CARE),
            Page(f"{PATH}/run", "", self.run, ("POST",), action=CARE, is_noted=True),
            Page(f"{PATH}/decide", "", self.decide, ("POST",), action=CARE, is_noted=True),
            Page(f"{PATH}/undo", "", self.undo, ("POST",), action=CARE, is_noted=True),
        ]

    async def show(self, request: Request) -> Response:
        review = await self._one_id.review()
        done = request.query_params.get("done", "")
        return render(request, "one_id.html", review=review, done=done, **shown(request, [self._work]))

    async def run(self, request: Request) -> Response:
        """Begin to compare all members anew."""
        self._work.begin(lambda: self._one_id.run(datetime.now(UTC)))
        return redirect(request, PATH, work="resolving")

    async def decide(self, request: Request) -> Response:
        """Take a reviewer's word on one pair."""
        fields = await form(request)
        said = fields.get("is_same", "")
        if said not in ("yes", "no"):
            raise errors.BadAsk(f"is_same is {said!r}", remedy="press one of the two buttons", path="is_same")
        one, other = fields.get("one", ""), fields.get("other", "")
        self._one_id.decide(one, other, is_same=said == "yes", by=acting(), now=datetime.now(UTC))
        return redirect(request, PATH, done="decided")

    async def undo(self, request: Request) -> Response:
        """Take a merge or a split back."""
        fields = await form(request)
        self._one_id.identities.undo(fields.get("change", ""), acting(), datetime.now(UTC))
        return redirect(request, PATH, done="undone")
