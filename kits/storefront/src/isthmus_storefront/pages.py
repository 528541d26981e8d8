"""Pages: a shop's own templates first, then the kit's; and who is looking."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from . import look, session
from .platform import Refused
from .shop import Shop

HERE = Path(__file__).parent
RULE = re.compile(r" \([a-z-]+\.\w+\)")  # who refused: for the operator, not for the shopper


def environment(shop: Shop, files: str) -> Environment:
    """Return a shop's templates; `kit/basket.html` is the kit's own, whatever the shop has by that name.

    files: what names the version of the files that its pages load.
    """
    kit = FileSystemLoader(HERE / "templates")
    own = FileSystemLoader(shop.folder / "templates")
    pages = Environment(loader=ChoiceLoader([PrefixLoader({"kit": kit}), own, kit]), autoescape=True)
    pages.filters["capitalize_first"] = _capital
    pages.globals |= _known(shop, files)
    return pages


def _known(shop: Shop, files: str) -> dict[str, Any]:
    """Return what every template knows beside its own facts."""
    return {
        "shop": shop.name,
        "motto": shop.motto,
        "app": shop.app,
        "files": files,
        "fields": shop.address,
        "amount": shop.currency.amount,
        "tile": shop.tile,
        "seller": shop.seller,
        "subscribed_days": shop.subscriptions,
        "from_whom": shop.from_whom,
        "portion": look.portion,
        "day": look.day,
        "state": look.state,
        "named": look.named,
        **shop.words,
    }


def style(shop: Shop) -> str:
    """Return the shop's style sheet: what every page needs, then its own look, or the kit's plain one."""
    own = shop.folder / "shop.css"
    sheets = [HERE / "base.css", own if own.exists() else HERE / "plain.css"]
    if shop.app:
        sheets.insert(1, HERE / "static" / "app.css")
    return "".join(one.read_text() for one in sheets)


def page(request: Request, name: str, refused: Refused | None = None, **facts: Any) -> Response:
    """Return a page; what was refused stands beside its field, else at the top."""
    shop: Shop = request.app.state.shop
    status = 200 if refused is None else int(refused.document.get("status", 422))
    facts = {
        "form": {},
        "session": shopper(request),
        "key": str(uuid.uuid4()),
        "request_path": request.url.path,
    } | facts
    problem = str(refused) if refused else ""
    wrong = refused.field if refused and refused.field in shop.near else ""
    html = request.app.state.pages.get_template(name).render(**facts, wrong=wrong, problem=problem)
    return HTMLResponse(html, status_code=status)


async def refusal(request: Request, problem: Exception) -> Response:
    """Return the page that says only what was refused."""
    assert isinstance(problem, Refused)
    return page(request, "layout.html", problem)


def shopper(request: Request) -> dict[str, Any]:
    """Return what the cookie holds of who is shopping."""
    return session.read(request, request.app.state.shop.cookie, request.app.state.secret)


def device(request: Request) -> str:
    """Return what an installed app calls this device; nothing before it has asked how it stands."""
    found = session.read(request, _device_cookie(request), request.app.state.secret)
    return str(found.get("device", ""))


def keep_device(request: Request, response: Response, name: str) -> Response:
    """Return the answer with the name of this device, beside who shops: neither loses what both change."""
    session.write(response, _device_cookie(request), {"device": name}, request.app.state.secret)
    return response


def _device_cookie(request: Request) -> str:
    return f"{request.app.state.shop.cookie}_device"


def keep(request: Request, response: Response, kept: dict[str, Any]) -> Response:
    """Return the answer with a cookie that holds this."""
    session.write(response, request.app.state.shop.cookie, kept, request.app.state.secret)
    return response


def _capital(text: str) -> str:
    """Return a sentence for a shopper: with a capital, and without the name of the rule behind it."""
    words = RULE.sub("", text)
    return words[:1].upper() + words[1:]
