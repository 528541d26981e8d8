"""Pages and searches that packs bring, as the console mounts them: there where what they need is."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from isthmus import manifest
from isthmus.pages import Asked, Away, Enter, Found, GoTo, Leave, Shown

from .client import Client
from .sign_in import AWAY, AWAY_AGE_S, DEVICE, DEVICE_AGE_S, ELSEWHERE, SESSION, check_way, keep, kept
from .web import Page, form, redirect, render

Make = Callable[[Asked, Client], Awaitable[Shown | GoTo | Enter | Leave | Away]]
Find = Callable[[str, str, Client], Awaitable[list[Found]]]


def brought_pages(client: Client) -> list[Page]:
    """Return the pages that packs bring, in the order of the packs' names."""
    return [
        Page(
            one.path,
            one.menu,
            _made(one, client),
            ("POST",) if one.is_form else ("GET",),
            one.group,
            action=one.action,
            needs=one.needs.name if one.needs else "",
            is_anywhere=True,
            is_open=one.is_open,
        )
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
    package = page.at.partition(":")[0]
    template = page.template if ":" in page.template else f"{package}:{page.template}"

    async def answer(request: Request) -> Response:
        fields = await form(request) if page.is_form else {}
        shown = await make(_asked(request, fields), client)
        if isinstance(shown, GoTo):
            return redirect(request, shown.path, **shown.query)
        if isinstance(shown, Enter | Leave | Away):
            return _entered(request, shown)
        return render(request, template, status=409 if shown.get("refused") else 200, **shown)

    return answer


def _asked(request: Request, fields: dict[str, str]) -> Asked:
    return Asked(
        query_params=request.query_params,
        path_params=request.path_params,
        form=fields,
        session=kept(request, SESSION),
        device=kept(request, DEVICE),
        away=kept(request, AWAY),
        address=request.client.host if request.client else "",
        agent=request.headers.get("user-agent", ""),
        site=f"{request.url.scheme}://{request.url.netloc}",
        root=request.scope.get("root_path", ""),
    )


def _entered(request: Request, done: Enter | Leave | Away) -> Response:
    check_way(request)
    if isinstance(done, Away):
        away = RedirectResponse(done.url, status_code=303, headers={ELSEWHERE: "1"})
        keep(request, away, AWAY, done.kept, AWAY_AGE_S, "lax")
        return away
    if isinstance(done, Enter) and done.is_from_elsewhere:
        reply: Response = render(request, "going_on.html", path=done.path)
        keep(request, reply, AWAY, "", 0, "lax")
    else:
        reply = redirect(request, done.path)
    if isinstance(done, Leave):
        keep(request, reply, SESSION, "", 0)
        return reply
    keep(request, reply, SESSION, done.session, done.age_s)
    if done.device:
        keep(request, reply, DEVICE, done.device, DEVICE_AGE_S)
    return reply


def _named(at: str) -> Any:
    module, _, name = at.partition(":")
    return getattr(importlib.import_module(module), name)
