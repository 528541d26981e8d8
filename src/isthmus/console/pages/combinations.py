"""Which products fit together at a front end, what each set earned, and what a change would have done last week."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance.explore import sets
from isthmus.governance.explore.patch import NotWritten, patch
from isthmus.governance.explore.sets import Combined
from isthmus.governance.explore.what_if import Change, NoSuchAnswer, Outcome, answers_of, changed, what_if
from isthmus.kernel import FrontEnd, Platform, Product, errors
from isthmus.language import mark
from isthmus.runtime.deploy.loading import front_end_folders
from isthmus.store import Database

from ..web import Page, page_of, render

PAGE_SIZE: Final = 40
FRESH_S: Final = 5.0  # of what sets earned: a reader presses one button after the other
FITS: Final[Mapping[str, str]] = {
    "fits": mark("fits"),
    "one order away": mark("one order away"),
    "conflicts": mark("conflicts"),
}
STATES: Final = {"fits": "good", "one order away": "warm", "conflicts": "bad"}


class Combinations:
    """The page of combinations."""

    def __init__(
        self,
        database: Database,
        platform: Platform,
        folder: Path,
        root: Path,
        products: Callable[[], Iterable[Product]],
    ) -> None:
        self._database = database
        self._platform = platform
        self._folder = folder
        self._root = root
        self._products = products
        self._found: dict[str, tuple[float, str, list[Combined]]] = {}

    def pages(self) -> list[Page]:
        return [Page("/combinations", "Combinations", self.show)]

    async def show(self, request: Request) -> Response:
        release = self._platform.release
        codes = sorted(release.lines, key=lambda code: (not release.line(code).front_end.products, code))
        code = request.query_params.get("front_end") or next(iter(codes), "")
        if code not in release.lines:
            return render(request, "combinations.html", codes=codes, code="", found=None)
        front_end = release.line(code).front_end
        products = await asyncio.to_thread(lambda: sets.known_products(release, self._products()))
        found = await self._combined(code, products)
        shown, next_cursor = page_of(request, found, PAGE_SIZE)
        change, outcome, code_patch, wrong = await self._tried(request.query_params, front_end, products)
        questions = sets.saying(front_end, products)
        question = request.query_params.get("question", "")
        if question not in questions:  # the one that most may answer
            question = max(questions, key=lambda name: len(questions[name]), default="")
        return render(
            request,
            "combinations.html",
            codes=codes,
            code=code,
            found=shown,
            next_cursor=next_cursor,
            fits=FITS,
            states=STATES,
            counts={fit: sum(one.fit == fit for one in found) for fit in FITS},
            products=list(products),
            chosen=list(change.products) if change.products is not None else [one.name for one in front_end.products],
            points=points_of(front_end),
            questions=list(questions),
            question=question,
            may_say=questions.get(question, []),
            says=change.said if change.question else sets.said_now(front_end, question, products),
            answered=await self._answered(code, question, products),
            own=sorted((one.name, conditions(one.when)) for one in front_end.answers),
            dimensions={name: one.values for name, one in sorted(release.line(code).dimensions.items())},
            change=change,
            outcome=outcome,
            code_patch=code_patch,
            wrong=wrong,
        )

    async def _combined(self, code: str, products: Mapping[str, Product]) -> list[Combined]:
        release = self._platform.release
        line = release.line(code)
        kept = self._found.get(code)
        if kept is None or kept[1] != line.fingerprint or time.monotonic() - kept[0] > FRESH_S:
            tried = await sets.tried(self._database, line, release, products)
            found = await asyncio.to_thread(sets.combined, release, code, products, tried)
            kept = self._found[code] = (time.monotonic(), line.fingerprint, found)
        return kept[2]

    async def _answered(self, code: str, question: str, products: Mapping[str, Product]) -> list[Combined]:
        release = self._platform.release
        if not question:
            return []
        tried = await sets.tried(self._database, release.line(code), release, products, question)
        return await asyncio.to_thread(sets.answered, release, code, question, products, tried)

    async def _tried(
        self, query: QueryParams, front_end: FrontEnd, products: Mapping[str, Product]
    ) -> tuple[Change, Outcome | None, str, str]:
        """Return what is asked for, what it would have done, and it as code; or what is wrong with it."""
        change = change_of(query)
        if not query.get("try"):
            return change, None, "", ""
        try:
            variant = changed(front_end, change, products)
            outcome = await what_if(self._database, self._platform.release, variant, datetime.now(UTC))
        except NoSuchAnswer as wrong:
            return change, None, "", str(wrong)
        folder = next((one for one in front_end_folders(self._folder) if one.name == front_end.code), None)
        if folder is None or outcome.problems:
            return change, outcome, "", ""
        try:
            written = await asyncio.to_thread(patch, change, front_end, products, folder, self._root)
        except (NotWritten, errors.Refusal) as wrong:
            return change, outcome, "", str(wrong)
        return change, outcome, written, ""


def change_of(query: QueryParams) -> Change:
    """Read a change from an address: what of it is tried says the button that was pressed."""
    kind = query.get("try")
    if kind == "products":
        return Change(products=tuple(query.getlist("product")))
    if kind == "order":
        point, _, first = query.get("first", "").partition("|")
        behind = [one for one in query.get("answers", "").split(",") if one and one != first]
        return Change(point=point, first=(first, *behind))
    if kind == "answers":
        return Change(question=query.get("question", ""), said=tuple(query.getlist("said")))
    if kind == "when":
        dimension, value = query.get("dimension", ""), query.get("value", "")
        return Change(answer=query.get("answer", ""), when={dimension: (value,)} if dimension and value else {})
    return Change()


def points_of(front_end: FrontEnd) -> list[tuple[str, list[str]]]:
    """Return the points that two answers or more of a front end and its products answer, with these."""
    found: dict[str, list[str]] = {}
    for label, one in answers_of(front_end):
        found.setdefault(one.point.name, []).append(label)
    return sorted((point, labels) for point, labels in found.items() if len(labels) > 1)


def conditions(when: Mapping[str, Any]) -> str:
    """Return a condition in words."""
    return ", ".join(f"{name} {' or '.join(sorted(values))}" for name, values in sorted(when.items()))
