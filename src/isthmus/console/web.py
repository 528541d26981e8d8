"""The console as an ASGI application: sign-in with an operator's token, pages, static files."""

from __future__ import annotations

import hmac
import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import jinja2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

COOKIE: Final = "isthmus_operator"
COOKIE_AGE_S: Final = 12 * 3600  # a working day
SECURITY: Final = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console: where it is, what it is called in the menu (nothing: not in it), what makes it."""

    path: str
    menu: str
    make: Any
    methods: tuple[str, ...] = ("GET",)


class Templates:
    """The console's templates, with what every page needs."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("isthmus.console"), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._menu = [(page.path, page.menu) for page in pages if page.menu]

    def render(self, request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page; `root` is where the console is mounted, `here` the path below it."""
        root = request.scope.get("root_path", "")
        here = request.scope["path"].removeprefix(root)
        text = self._environment.get_template(template).render(root=root, here=here, menu=self._menu, **values)
        return HTMLResponse(text, status_code=status)


def console(pages: Sequence[Page], templates: Templates, token: str) -> Starlette:
    """Return the console; whoever opens an address with `?token=` is signed in for a working day."""

    async def signed_in(request: Request, call_next: RequestResponseEndpoint) -> Response:
        root = request.scope.get("root_path", "")
        given = request.query_params.get("token")
        if given is not None and hmac.compare_digest(given.encode(), token.encode()):
            reply: Response = RedirectResponse(request.url.remove_query_params("token"), status_code=303)
            reply.set_cookie(COOKIE, token, max_age=COOKIE_AGE_S, httponly=True, samesite="strict", path=root or "/")
            return reply
        is_static = request.scope["path"].startswith(f"{root}/static/")
        if not is_static and not hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), token.encode()):
            return templates.render(request, "sign_in.html", status=401)
        reply = await call_next(request)
        reply.headers.update(SECURITY)
        return reply

    static = importlib.resources.files("isthmus.console") / "static"
    routes = [Route(page.path, page.make, methods=list(page.methods)) for page in pages]
    return Starlette(
        routes=[*routes, Mount("/static", StaticFiles(directory=str(static)))],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=signed_in)],
    )
