"""Receipts: which answers have left and for whom; and one receipt, with its question asked again today."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.data.answers.receipt import Receipt
from isthmus.data.model.ask import Ask, grained
from isthmus.data.platform import DataPlatform
from isthmus.data.privacy.policy import Policy
from isthmus.manifest.actions import ASK
from isthmus.markings import AllOf, AnyOf, Filter, Has, Not, Where

from ..web import Page, render

PAGE_SIZE: Final = 50
LISTED_MAX: Final = 100_000  # as many as are kept, unless a company says otherwise
LOOKED_MAX: Final = 2_000  # receipts read for one page: a rare metric is looked for further on the next
EVER: Final = datetime.fromtimestamp(0, UTC)

Address = list[tuple[str, str]]


class ReceiptPages:
    """The pages of receipts."""

    def __init__(self, data: DataPlatform, policy: Callable[[str], Policy], codes: Iterable[str]) -> None:
        self._data = data
        self._policy = policy
        self._codes = codes

    def pages(self) -> list[Page]:
        return [
            Page("/metrics/receipts", "Receipts", self.list, group="Data", action=ASK),
            Page("/metrics/receipts/{id}", "", self.show, action=ASK),
        ]

    async def list(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("metric", "policy", "cursor")}
        found, next_cursor = await asyncio.to_thread(self._found, **asked)
        metrics = {*self._data.model.metrics, asked["metric"]}
        policies = {*self._data.policies, *self._codes, *(one.policy for one in found), asked["policy"]}
        return render(
            request,
            "receipts.html",
            asked=asked,
            found=found,
            next_cursor=next_cursor,
            looked_max=LOOKED_MAX,
            metrics=sorted(metrics - {""}),
            policies=sorted(policies - {""}),
            condition=condition,
        )

    def _found(self, metric: str, policy: str, cursor: str) -> tuple[list[Receipt], str | None]:
        """Return a page of the receipts that fit, the newest first, and where the next begins.

        The cursor is the last receipt that was looked at. Where it is pruned by now, all that were older are too.
        """
        receipts = self._data.receipts
        ids = receipts.newest(LISTED_MAX, EVER)
        if cursor:
            ids = ids[ids.index(cursor) + 1 :] if cursor in ids else []
        found: list[Receipt] = []
        for one in receipts.all(ids[:LOOKED_MAX]):
            if metric in ("", *one.ask.metrics) and policy in ("", one.policy):
                if len(found) == PAGE_SIZE:
                    return found, found[-1].id
                found.append(one)
        return found, ids[LOOKED_MAX - 1] if len(ids) > LOOKED_MAX else None

    async def show(self, request: Request) -> Response:
        """Show a receipt, and whether its question has the same answer today."""
        found = self._data.receipts.get(request.path_params["id"])
        policies = {**self._data.policies, found.policy: self._policy(found.policy)}
        again = await asyncio.to_thread(self._data.metrics.rerun, found.id, policies)
        return render(
            request,
            "receipt.html",
            receipt=found,
            again=again,
            address=_address(found.ask, found.policy),
            condition=condition,
        )


def condition(where: Filter) -> str:
    """Write a condition as people type it."""
    match where:
        case Where(field=field, op=op, value=tuple(values)):
            return f"{field} {op} {', '.join(map(str, values))}"
        case Where(field=field, op=op, value=value):
            return f"{field} {op}" if value is None else f"{field} {op} {value}"
        case Has(of=of, metric=metric, op=op, value=value):
            return f"has {of} {metric} {op} {value}"
        case Not(of=inner):
            return f"not ({condition(inner)})"
        case AllOf(parts=parts):
            return " and ".join(f"({condition(part)})" for part in parts)
        case AnyOf(parts=parts):
            return " or ".join(f"({condition(part)})" for part in parts)


def _address(ask: Ask, policy: str) -> Address:
    """Return the fields of the address that asks the same, as far as the explorer can say it."""
    found = [("metrics", name) for name in ask.metrics]
    for one in ask.by:
        name, grain = grained(one)
        found.append(("grain", grain) if grain and name == "time" else ("by", one))
    for one in ask.where:
        if isinstance(one, Where):
            name = {">=": "from", "<": "to"}.get(one.op, "") if one.field == "time" else ""
            found.append((name, str(one.value)) if name else ("where", condition(one)))
        elif isinstance(one, Has):
            found.append(("where", condition(one)))
    return [*found, ("policy", policy)]
