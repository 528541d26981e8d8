"""Pages and searches that packs bring, as the console mounts them: there where what they need is."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from isthmus import manifest
from isthmus.pages import Asked, Found, GoTo, Shown

from .client import Client
from .web import Page, form, redirect, render

Make = Callable[[Asked, Client], Awaitable[Shown | GoTo]]
Find = Callable[[str, str, Client], Awaitable[list[Found]]]


def brought_pages(client: Client) -> list[Page]:
    """Return the pages that packs bring, in the order of the packs' names."""
    return [
        Page(one.path, one.menu, _made(one, client), ("POST",) if one.is_form else ("GET",), one.group)
        for one in _there(client, manifest.Page)
    ]


def brought_searches(client: Client) -> list[Find]:
    """Return the searches that packs bring."""
    return [_named(one.at) for one in _there(client, manifest.Search)]


def _there(client: Client, kind: type[Any]) -> list[Any]:
    release = client.release
    packs = [pack for _, pack in sorted(release.packs.items())]
    return [one for one in manifest.brought(packs, kind) if one.needs is None or one.needs.name in release.offered]


def _made(page: manifest.Page, client: Client) -> Callable[[Request], Awaitable[Response]]:
    make: Make = _named(page.at)
    template = f"{page.at.partition(':')[0]}:{page.template}"

    async def answer(request: Request) -> Response:
        fields = await form(request) if page.is_form else {}
        asked = Asked(query_params=request.query_params, path_params=request.path_params, form=fields)
        shown = await make(asked, client)
        if isinstance(shown, GoTo):
            return redirect(request, shown.path, **shown.query)
        return render(request, template, status=409 if shown.get("refused") else 200, **shown)

    return answer


def _named(at: str) -> Any:
    module, _, name = at.partition(":")
    return getattr(importlib.import_module(module), name)
