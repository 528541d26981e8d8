"""What a browser keeps of a shopper's sign-in, and what each page tells it."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable
from typing import Any, Final, cast
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from isthmus import language

from .. import rules

SECURITY: Final = {
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "strict-transport-security": "max-age=31536000",
}
_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FunctionLoader(
        lambda name: (importlib.resources.files("isthmus.packs.account.pages") / name).read_text()
    ),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    extensions=["jinja2.ext.i18n"],
)
cast(Any, _TEMPLATES).install_gettext_callables(language.gettext, language.ngettext, newstyle=True)
_READERS: Final = {
    one: language.Reader(one, language.Catalogue(("isthmus.packs.account",), one.locale)) for one in language.LANGUAGES
}
STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;color:#1b1f24}"
    "h1{font-size:1.4rem}label{display:block;margin:1rem 0}input{display:block;width:100%;padding:.5rem;font:inherit;"
    "box-sizing:border-box}button{padding:.5rem 1rem;font:inherit;cursor:pointer}.bad{color:#a40e26}"
)


def kept(request: Request, name: str) -> str:
    """Return what a browser keeps here under a name, or nothing."""
    return request.cookies.get(_cookie(request, name), "")


def keep(request: Request, reply: Response, name: str, value: str, age_s: int) -> None:
    """Have a browser keep something: over https for this very host (`__Host-`), which no neighbour can set either.

    It goes with a shop's link that leads here (lax), and with no form of elsewhere.
    """
    is_secure = request.url.scheme == "https"
    reply.set_cookie(
        _cookie(request, name), value, max_age=age_s, httponly=True, samesite="lax", secure=is_secure, path="/"
    )


def _cookie(request: Request, name: str) -> str:
    return rules.cookie_name(name, is_secure=request.url.scheme == "https")


def is_own(request: Request) -> bool:
    """Say whether a form was sent from a page of this very address."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def page(request: Request, name: str, *, status: int = 200, leads_to: Iterable[str] = (), **facts: Any) -> HTMLResponse:
    """Return a page in the reader's language. leads_to: where its form may lead beside here: to the shop."""
    origins = {f"{one.scheme}://{one.netloc}" for one in map(urlsplit, leads_to) if one.netloc}
    targets = " ".join(["'self'", *sorted(origins)])
    policy = f"default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action {targets}"
    reader = _READERS[language.choose(None, request.headers.get("accept-language", ""))]
    with language.reading(reader):
        text = _TEMPLATES.get_template(name).render(**{"problem": "", "language": reader.language, **facts})
    return HTMLResponse(text, status, headers={**SECURITY, "content-security-policy": policy})
