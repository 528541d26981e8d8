"""Stock: what lies where, what is promised of it, what changed it, and corrections."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import errors
from isthmus.values import whole_number

from .client import Client
from .web import BIGINT_MAX, Page, form, ordered, redirect, render

LIST: Final = "inventory.list-stock"
PAGE_SIZE: Final = 30
COLUMNS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "sku": lambda one: one["sku"],
    "location": lambda one: one["location"],
    "on_hand": lambda one: one["on_hand"],
    "reserved": lambda one: one["reserved"],
    "safety": lambda one: one["safety"],
    "free": lambda one: one["on_hand"] - one["reserved"] - one["safety"],
}
SKUS_MAX: Final = 20  # found by words: more is a search to be narrowed


class Stock:
    """The pages of stock."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def pages(self) -> list[Page]:
        """Return the pages, or none where no front end has stock."""
        if LIST not in self._client.release.offered:
            return []
        return [
            Page("/stock", "Stock", self.list, group="Operate"),
            Page("/stock/{front_end}/{sku:path}", "", self.show),
            Page("/stock/{front_end}/{sku:path}", "", self.act, ("POST",)),
        ]

    async def list(self, request: Request) -> Response:
        codes = self._client.users(LIST)
        asked = {name: request.query_params.get(name, "").strip() for name in ("q", "location", "front_end", "cursor")}
        code = asked["front_end"] or next(iter(codes), "")
        page: dict[str, Any] = {"items": [], "next_cursor": None}
        titles: dict[str, str] = {}
        if asked["q"]:
            ask = {"sku": asked["q"], "location": asked["location"], "cursor": asked["cursor"], "limit": PAGE_SIZE}
            page = await self._client.call(code, LIST, ask)
            if not page["items"]:
                titles = await self._titles(code, asked["q"])
                for sku in titles:
                    page["items"] += (await self._client.call(code, LIST, {**ask, "sku": sku}))["items"]
        elif code:
            page = await self._client.call(
                code, LIST, {"location": asked["location"], "cursor": asked["cursor"], "limit": PAGE_SIZE}
            )
        titles = titles or await self._described(code, {one["sku"] for one in page["items"]})
        is_whole = not (page["next_cursor"] or asked["cursor"])
        if is_whole:
            page["items"] = ordered(request, page["items"], {**COLUMNS, "product": lambda one: titles.get(one["sku"])})
        return render(
            request,
            "stocks.html",
            asked=asked,
            code=code,
            codes=codes,
            page=page,
            titles=titles,
            is_whole=is_whole,
        )

    async def _titles(self, code: str, text: str) -> dict[str, str]:
        """Return SKUs whose products are found by words, with their titles."""
        found = await self._client.find(code, "catalog.search", {"text": text, "limit": SKUS_MAX})
        return {one["sku"]: one.get("title", "") for one in (found or {"items": []})["items"] if "sku" in one}

    async def _described(self, code: str, skus: Collection[str]) -> dict[str, str]:
        """Return the titles of SKUs, as far as they are known."""
        found = await self._client.find(code, "catalog.describe-skus", {"skus": sorted(skus)}) if skus else None
        return {one["item"]["sku"]: one["item"]["title"] for one in (found or {"items": []})["items"]}

    async def show(self, request: Request) -> Response:
        return await self._shown(request)

    async def act(self, request: Request) -> Response:
        """Receive, count or correct a stock; the reference that came with the form books it once."""
        code, sku = request.path_params["front_end"], request.path_params["sku"]
        fields = await form(request)
        name = fields.get("act", "")
        if name not in ("receive", "count", "adjust"):
            raise errors.NotFound(f"stock has no act {name!r}", remedy="receive, count or adjust it")
        typed = fields.get("quantity", "")
        found = whole_number(typed, -BIGINT_MAX, BIGINT_MAX)
        quantity = typed if found is None else found
        line = {"sku": sku, "quantity": quantity, "location": fields.get("location", "")}
        ask = {"reference": fields.get("reference", ""), "lines": [line]}
        if name == "adjust":
            ask["reason"] = fields.get("reason", "")
        try:
            await self._client.call(code, f"inventory.{name}", ask)
        except errors.Refusal as refused:
            return await self._shown(request, refused)
        return redirect(request, f"/stock/{code}/{sku}", done=name)

    async def _shown(self, request: Request, refused: errors.Refusal | None = None) -> Response:
        code, sku = request.path_params["front_end"], request.path_params["sku"]
        client = self._client
        page = await client.call(code, LIST, {"sku": sku, "limit": 200})
        moved = await client.find(
            code,
            "inventory.list-movements",
            {"sku": sku, "limit": PAGE_SIZE, "cursor": request.query_params.get("cursor")},
        )
        available = await client.find(code, "inventory.get-availability", {"skus": [sku]})
        product = await client.find(code, "catalog.get-product", {"sku": sku})
        return render(
            request,
            "stock.html",
            status=409 if refused else 200,
            code=code,
            sku=sku,
            product=product,
            stocks=ordered(request, page["items"], COLUMNS),
            available=(available or {"items": []})["items"],
            moved=moved or {"items": [], "next_cursor": None},
            acts=[name for name in ("receive", "count", "adjust") if client.may(code, f"inventory.{name}")],
            reference=client.platform.new_call_id(),
            refused=refused,
            done={"receive": "The goods are booked in.", "count": "The stock is as it was counted.",
                  "adjust": "The stock is corrected."}.get(request.query_params.get("done", ""), ""),
        )  # fmt: skip
