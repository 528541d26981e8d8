"""A shop as an app: it installs, opens offline, keeps changes of the basket until it is back, knows when it is too old.

What it shows offline is as it was; what it costs and whether it is there is asked again when the shop can be reached.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import synced
from .basket import preview, settle
from .forms import read_body
from .pages import device, keep, keep_device, page, shopper, style
from .platform import Platform, Refused
from .shelf import remarks
from .shop import App, Shop

STATIC: Final = Path(__file__).parent / "static"
LINES_MAX: Final = 100  # changed offline; more than anybody puts into a basket between two stations
FIELDS_MAX: Final = 20
FIRST_MAX: Final = 2**40  # changes of one device, and versions of a basket
PLATFORM: Final = "web"
_CLIENT: Final = re.compile(r"[A-Za-z0-9-]{8,64}")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What goods cost when they were last seen here."""

    title: str
    minor: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a basket that was made offline."""

    form: Mapping[str, str]
    quantity: int
    seen: Seen | None
    base: int  # the version of the basket that the device knew

    @property
    def sku(self) -> str:
        return self.form["sku"]

    @property
    def title(self) -> str:
        return self.seen.title if self.seen else self.sku


@dataclass(frozen=True, slots=True)
class Brought:
    """What a device brings: its changes in their order, of which the first has this number."""

    client: str
    first: int
    changes: Sequence[Change]


def routes(app: App | None) -> list[Route]:
    """Return what an app needs beside its pages; nothing where a shop is none."""
    if app is None:
        return []
    return [
        Route("/app.webmanifest", _manifest),
        Route("/worker.js", _worker),
        Route("/app/offline", _offline),
        Route("/app/state", _state),
        Route("/app/icon-{size:int}.png", _icon),
        Route("/app/{name}", _script),
        Route("/basket/bring", _bring, methods=["POST"]),
        Route("/basket/settle", settle, methods=["POST"]),
    ]


def version_of(shop: Shop) -> str:
    """Return what names the files that a shop's app is made of: another one where any of them changed."""
    digest = hashlib.sha256(style(shop).encode())
    for one in sorted(STATIC.iterdir()):
        digest.update(one.read_bytes())
    digest.update(json.dumps([shop.app.version if shop.app else "", shop.name, shop.code]).encode())
    return digest.hexdigest()[:12]


async def _manifest(request: Request) -> Response:
    shop: Shop = request.app.state.shop
    app = _app(shop)
    icons = [
        {"src": f"/app/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for size in (192, 512)
        for purpose in ("any", "maskable")
    ]
    manifest = {
        "id": "/",
        "name": shop.name,
        "short_name": shop.name[:12],
        "description": shop.motto,
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "theme_color": app.colour,
        "background_color": app.background,
        "icons": icons,
        "shortcuts": [{"name": "Basket", "url": "/basket"}, {"name": "My orders", "url": "/orders"}],
    }
    return Response(json.dumps(manifest), media_type="application/manifest+json")


async def _worker(request: Request) -> Response:
    """Give the worker; its text is another one for another version, which is how browsers know."""
    version: str = request.app.state.files
    sizes = [f"/app/icon-{size}.png" for size in (192,)]
    scripts = [f"/app/{name}?v={version}" for name in _scripts(_app(request.app.state.shop))]
    files = [f"/shop.css?v={version}", *scripts, "/app/offline", *sizes]
    text = (STATIC / "worker.js").read_text().replace("__VERSION__", version).replace("__FILES__", json.dumps(files))
    if _app(request.app.state.shop).purposes:
        text += (STATIC / "pushes.js").read_text()
    return Response(text, media_type="text/javascript", headers={"cache-control": "no-cache"})


def _scripts(app: App) -> tuple[str, ...]:
    """Return the names of what pages of an app run."""
    return ("app.js", "store.js", "pushing.js") if app.purposes else ("app.js", "store.js")


async def _script(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _scripts(_app(request.app.state.shop)):
        raise Refused({"slug": "shop.no-file", "status": 404, "detail": "there is no such file"})
    is_this = request.query_params.get("v") == request.app.state.files
    lasts = "public, max-age=31536000, immutable" if is_this else "no-cache"
    return Response((STATIC / name).read_text(), media_type="text/javascript", headers={"cache-control": lasts})


async def _icon(request: Request) -> Response:
    shop: Shop = request.app.state.shop
    file = shop.folder / "icons" / f"{request.path_params['size']}.png"
    if not file.is_file():
        raise Refused({"slug": "shop.no-file", "status": 404, "detail": "there is no such icon"})
    return Response(file.read_bytes(), media_type="image/png", headers={"cache-control": "public, max-age=86400"})


async def _offline(request: Request) -> Response:
    """Give what is shown where a page was not kept; it knows nobody, and is the same for all."""
    return page(request, "offline.html", session={})


async def _state(request: Request) -> Response:
    """Say whether a version of the app may go on: what `releases.check-update` says of it."""
    shop: Shop = request.app.state.shop
    asked, named = request.query_params.get("version", "")[:40], device(request) or uuid4().hex
    train = {"app": shop.code, "platform": PLATFORM}
    ask = {"train": train, "version": asked, "device": named, **_member(shopper(request))}
    try:
        found = await request.app.state.platform.call("releases.check-update", ask)
    except Refused as refused:
        found = {"state": "current", "minimum": None} if refused.document.get("status") not in synced.LATER else None
    if found is None:
        return JSONResponse({}, status_code=503)
    said = {"version": asked, "state": found["state"], "minimum": found["minimum"], "served": _app(shop).version}
    return keep_device(request, JSONResponse(said, headers={"cache-control": "no-store"}), named)


async def _bring(request: Request) -> Response:
    """Take what a device changed offline, each change once, and say what became dearer, short, impossible or otherwise.

    `sequence` is the last of the device's changes that is known here, `version` what the device knows now. 409: the
    device is not the one that it says it is, and begins anew under another name.
    """
    platform: Platform = request.app.state.platform
    shop: Shop = request.app.state.shop
    said, kept = _brought(await read_body(request, "application/json")), shopper(request)
    notes: list[str] = []
    try:
        notes += await _push(platform, shop, kept, said)
        notes += await synced.bring_up_to_date(platform, shop, kept)
        if "basket_id" in kept:
            held = await platform.call("order.get-basket", {"basket_id": kept["basket_id"]})
            kept["count"] = len(held["lines"])
            notes += await _unlike_before(request, shop, kept, held, [one for one in said.changes if one.quantity])
    except Refused as refused:
        if refused.document.get("status") in synced.LATER:
            return JSONResponse({"slug": refused.slug}, status_code=503)
        if refused.slug in synced.AGAIN:
            return keep(request, JSONResponse({"slug": refused.slug}, status_code=409), kept)
        notes.append(str(refused))
    answer = {"count": kept.get("count", 0), "notes": notes, "version": kept.get("synced", 0)}
    return keep(request, JSONResponse(answer), kept)


async def _push(platform: Platform, shop: Shop, kept: Json, said: Brought) -> list[str]:
    """Push a device's changes; return in words where another device of the shopper had said otherwise meanwhile."""
    if not said.changes:
        return []
    changes = [({"sku": one.sku, **shop.line(one.form)}, one.quantity) for one in said.changes]
    bases = [one.base for one in said.changes]
    asked = synced.operations(changes, said.first, bases)
    done = await synced.push(platform, kept, said.client, asked)
    last = {synced.document_of(line): one for (line, _), one in zip(changes, said.changes, strict=True)}
    met = [(last[one["document"]], one["lost"]) for one in done["conflicts"] if one["field"] == "wanted"]
    return [
        f"{one.title}: {_many(one.quantity)} now; another of your devices had said {_many(lost)}"
        for one, lost in met
        if lost != one.quantity
    ]


def _many(quantity: Any) -> str:
    return str(quantity) if quantity else "taken out"


async def _unlike_before(request: Request, shop: Shop, kept: Json, held: Json, changes: Sequence[Change]) -> list[str]:
    """Return what is otherwise than when it was chosen; the basket's page goes on saying so beside each line."""
    if not held["lines"]:
        return []
    platform: Platform = request.app.state.platform
    ask = {"basket_id": kept["basket_id"], "currency": shop.currency.code}
    bills = (await preview(request, ask, kept))["bill"]["lines"]
    shown = [
        {"sku": line["sku"], "quantity": line["quantity"], "attributes": line["attributes"], "shown": before}
        for line, bill in zip(held["lines"], bills, strict=False)
        if line["sku"] == bill["sku"] and (before := await _before(platform, shop, kept, changes, bill)) is not None
    ]
    if shown:
        await platform.call("order.set-lines", {"basket_id": kept["basket_id"], "lines": shown})
    titles = {one.sku: one.seen.title for one in changes if one.seen}
    found = remarks(await preview(request, ask, kept), shop.currency)
    return [f"{titles[sku]}: {note}" for sku, notes in found.items() if sku in titles for note in notes]


async def _before(platform: Platform, shop: Shop, kept: Json, changes: Sequence[Change], bill: Json) -> Json | None:
    """Return what a line was shown to cost offline, or what it costs now where that is the same; None: not seen."""
    seen = next((one.seen for one in changes if one.sku == bill["sku"]), None)
    if seen is None:
        return None
    buyer: Json = await platform.call("member.get-buyer", _member(kept)) if kept.get("member_id") else {}
    line = {"sku": bill["sku"], "quantity": seen.quantity}
    ask = {"currency": shop.currency.code, "lines": [line], "buyer": buyer, "is_partial": True}
    now = (await platform.call("pricing.quote", ask))["lines"]
    if not now or now[0]["amount"]["minor"] == seen.minor:
        return bill["amount"]
    return bill["amount"] | {"minor": round(seen.minor * bill["quantity"] / seen.quantity)}


def _brought(body: bytes) -> Brought:
    try:
        found = json.loads(body)
        changes = [_change(one) for one in found["changes"][:LINES_MAX]]
        client, first = str(found["client"]), int(found["first"])
        if not _CLIENT.fullmatch(client) or not 1 <= first < FIRST_MAX:
            raise ValueError("no device")
        return Brought(client, first, changes)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Refused(
            {"slug": "shop.malformed-form", "status": 400, "detail": "these changes cannot be read"}
        ) from None


def _change(said: Json) -> Change:
    form = {str(name): str(value) for name, value in list(said["form"].items())[:FIELDS_MAX]}
    seen, base = said.get("seen"), int(said["base"])
    if not form["sku"] or not form["quantity"].isascii() or not form["quantity"].isdecimal() or base < 0:
        raise ValueError("no line")
    was = Seen(str(seen["title"])[:240], int(seen["minor"]), max(1, int(seen["quantity"]))) if seen else None
    return Change(form, int(form["quantity"][:9]), was, min(base, FIRST_MAX))


def _member(kept: Json) -> Json:
    return {"member_id": kept["member_id"]} if kept.get("member_id") else {}


def _app(shop: Shop) -> App:
    return cast(App, shop.app)
