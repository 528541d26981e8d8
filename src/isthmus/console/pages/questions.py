"""Questions that are kept, with how each went last; and the catalogue of all that data is called."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import owner
from isthmus.kernel import errors
from isthmus.manifest.actions import ASK

from ..web import Page, redirect, render


class QuestionPages:
    """The pages of kept questions and of the catalogue."""

    def __init__(self, data: DataPlatform) -> None:
        self._data = data

    def pages(self) -> list[Page]:
        return [
            Page("/catalogue", "Catalogue", self.catalogue, group="Data", action=ASK),
            Page("/questions", "Questions", self.questions, group="Data", action=ASK),
            Page("/questions/run", "", self.run, ("POST",), action=ASK),
        ]

    async def catalogue(self, request: Request) -> Response:
        words = request.query_params.get("words", "")
        found = await asyncio.to_thread(self._data.find, words, owner())
        return render(request, "catalogue.html", words=words, found=found)

    async def questions(self, request: Request) -> Response:
        kept = self._data.questions
        found = await asyncio.to_thread(kept.all)
        return render(request, "questions.html", found=[(one, kept.ran(one.value.name)) for one in found])

    async def run(self, request: Request) -> Response:
        """Ask a question and write its file; why it was refused is written down, and shown on the page."""
        name = str((await request.form()).get("name", ""))
        with suppress(errors.IsthmusError):
            await asyncio.to_thread(self._data.questions.run, name, datetime.now(UTC), "console")
        return redirect(request, "/questions")
