"""The console as an ASGI application: who is signed in and may see which page, errors, static files."""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode

import jinja2
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from isthmus import language
from isthmus.kernel import Effect, errors
from isthmus.manifest.actions import EVERYWHERE, LOOK, Action
from isthmus.manifest.seen import MASKED
from isthmus.manifest.sign_in import SignIn
from isthmus.store import Database
from isthmus.values import whole_number

from . import words
from .client import ACTING, NOBODY, Client
from .sign_in import SAFE, SESSION, FromElsewhere, Operators, check_origin, kept, kept_here

Item = TypeVar("Item")

FORM_MAX: Final = 256 * 1024  # bytes of a form: an ask of a thousand lines fits
ROWS_MAX: Final = 10**8  # no list here is longer
LANGUAGE: Final = "language"  # in an address, what a reader switches to; as a cookie, what was chosen
LANGUAGE_AGE_S: Final = 365 * 86_400
PACKAGE: Final = "isthmus"  # whose catalogue has what the console and all below it write
STATIC_AGE_S: Final = 30 * 86_400  # addresses of static files carry a hash of what is in them
SECURITY: Final = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
    "form-action 'self'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",  # pages show people's data
}
_STATIC: Final = Path(str(importlib.resources.files("isthmus.console") / "static"))


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console: where it is, what it is called in the menu (nothing: not in it), what makes it.

    `group` is the heading that it stands under in the menu. `make` is given the request and returns a response,
    mostly by `render`; a deliberate error that it raises is shown with its remedy. `action` is what whoever opens it
    must be permitted: at the front end that its address names (`{code}`), else everywhere; where `is_anywhere`, at some
    front end, and the page asks further. `needs` is a capability that it is of no use without. `is_open`: anybody may.
    `is_noted`: what it does is written down before it does it; other forms write that down with what they do.
    """

    path: str
    menu: str
    make: Any
    methods: tuple[str, ...] = ("GET",)
    group: str = ""
    action: Action | None = LOOK
    needs: str = ""
    is_anywhere: bool = False
    is_open: bool = False
    is_noted: bool = False


Menu = list[tuple[str, list[Page]]]


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page; in it `root` is where the console is mounted, `here` the path below it."""
    root = request.scope.get("root_path", "")
    here = request.scope["path"].removeprefix(root)
    found: jinja2.Template = request.app.state.templates.get_template(template)
    menu: Menu = getattr(request.state, "menu", [])
    above = [page.path for _, pages in menu for page in pages if f"{here}/".startswith(f"{page.path}/")]
    current = max(above, key=len, default="")  # of pages below one another, the one that is nearest
    reader = _reader(request)
    names = {"root": root, "here": here, "menu": menu, "current": current, "query": request.query_params}
    names["person"] = ACTING.get().name
    masked = MASKED.get() or []
    names |= {"is_masked": bool(masked), "may_reveal": any(masked)}
    names["is_form"] = request.method not in SAFE  # its address can't be opened again, in another language either
    with language.reading(reader):
        text = found.render(**names, language=reader.language, languages=language.LANGUAGES, **values)
    return HTMLResponse(
        text, status_code=status, headers={"content-language": reader.language.tag, "vary": "accept-language, cookie"}
    )


def redirect(request: Request, path: str, **query: str) -> Response:
    """Send the browser to a path of the console, after a form has done its work."""
    root = request.scope.get("root_path", "")
    asked = urlencode({name: value for name, value in query.items() if value})
    return RedirectResponse(f"{root}{path}{'?' if asked else ''}{asked}", status_code=303)


def page_of(request: Request, found: Sequence[Item], size: int) -> tuple[Sequence[Item], str | None]:
    """Return the part of a whole list that the address asks for, and the cursor of the next part."""
    at = whole_number(request.query_params.get("cursor"), 0, ROWS_MAX) or 0
    return found[at : at + size], str(at + size) if len(found) > at + size else None


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form that was sent; of several with one name, the last. Raises BadAsk."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_MAX:
            raise errors.BadAsk(f"the form is larger than {FORM_MAX} bytes", remedy="send less at once")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        raise errors.BadAsk("the form is not UTF-8", remedy="send it from the console's own page") from None


def console(
    pages: Sequence[Page],
    sign_in: SignIn,
    client: Client,
    packages: Iterable[str] = (),
    database: Database | None = None,
    allow: Callable[[str], Awaitable[None]] | None = None,
) -> Starlette:
    """Return the console, for whom `sign_in` knows; what each may see the platform's policies say.

    Pages are in the reader's language as far as this platform and `packages` have catalogues of it. An address with
    `?language=` switches to one, which a cookie keeps. database: where the journal keeps what forms were refused.
    allow: raises TooMany where a person asks for more than they may.
    """

    async def signed_in(request: Request, call_next: RequestResponseEndpoint) -> Response:
        root = request.scope.get("root_path", "")
        if request.scope["path"].startswith(f"{root}/static/"):
            reply = await call_next(request)
            reply.headers["cache-control"] = f"public, max-age={STATIC_AGE_S}, immutable"
            return kept_here(reply)
        if isinstance(sign_in, Operators) and request.method in SAFE and _is_token(request, sign_in):
            reply = RedirectResponse(request.url.remove_query_params("token"), status_code=303)
            sign_in.sign_in(request, reply)
        elif request.method in SAFE and LANGUAGE in request.query_params:
            reply = _switched(request)
        else:
            reply = await _answered(request, call_next)
        reply.headers.update(SECURITY)
        return kept_here(reply)

    async def _answered(request: Request, call_next: RequestResponseEndpoint) -> Response:
        here = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        person = await sign_in.known(kept(request, SESSION))
        if person is None and not any(one.fullmatch(here) for one in open_paths):
            return _stranger(request, sign_in, here)
        if allow is not None and person is not None and person.name:
            try:
                await allow(person.name)
            except errors.TooMany as refused:
                return render(request, "problem.html", status=429, problem=refused)
        acting, masked = ACTING.set(person or NOBODY), MASKED.set([])
        try:
            request.state.menu = await _menu(pages, client) if person is not None else []
            return await _from_here(request, call_next)
        finally:
            ACTING.reset(acting)
            MASKED.reset(masked)

    open_paths = [re.compile(re.sub(r"\{\w+\}", "[^/]+", page.path)) for page in pages if page.is_open]
    made = Starlette(
        routes=[
            *(_route(page, client, database) for page in pages),
            Mount("/static", StaticFiles(directory=str(_STATIC))),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=signed_in)],
        exception_handlers={errors.IsthmusError: _refused, HTTPException: _not_there, Exception: _failed},
    )
    made.state.templates = _templates()
    every = (PACKAGE, *packages)
    made.state.readers = {
        one.code: language.Reader(one, language.Catalogue(every, one.locale)) for one in language.LANGUAGES
    }
    return made


def _is_token(request: Request, operators: Operators) -> bool:
    given = request.query_params.get("token")
    return given is not None and operators.is_token(given)


def _stranger(request: Request, sign_in: SignIn, here: str) -> Response:
    """Ask who this is, on the page that was asked for; from there it goes on to that page."""
    asked = f"{here}?{request.url.query}" if request.url.query else here
    given = {
        "is_wrong": "token" in request.query_params,
        "next": asked,
        "refused": None,
        "address": "",
        **sign_in.offers,
    }
    return render(request, sign_in.template, status=401, **given)


def _route(page: Page, client: Client, database: Database | None) -> Route:
    """Return the route of a page, behind the question whether whoever asks may see it."""

    async def answer(request: Request) -> Response:
        if not page.is_open:
            code = request.path_params.get("code", EVERYWHERE)
            try:
                await _check(page, client, code)
            except errors.NotPermitted as refused:
                await _note(page, client, database, code, refused.slug)
                menu: Menu = request.state.menu
                if page.path == "/" and menu:
                    return redirect(request, menu[0][1][0].path)  # not everybody has to do with all front ends
                raise
            if page.is_noted:
                await _note(page, client, database, code)
        return await page.make(request)

    return Route(page.path, answer, methods=list(page.methods))


async def _note(page: Page, client: Client, database: Database | None, code: str, outcome: str = "done") -> None:
    """Have the journal keep that a form was sent, or refused; pages that only show leave no entry."""
    if database is None or page.action is None or page.action.effect is Effect.READ or SAFE.issuperset(page.methods):
        return
    async with database.platform() as session:
        await client.doer(code).note(session, page.action.name, {"page": page.path}, outcome)


async def _check(page: Page, client: Client, front_end: str) -> None:
    """Raise NotPermitted where a page is not for who asks."""
    if page.action is None:
        return
    elsewhere = ACTING.get().places if page.is_anywhere else ()
    for code in elsewhere:
        if await client.is_allowed(page.action, code):
            return
    await client.check(page.action, front_end)


async def _from_here(request: Request, call_next: RequestResponseEndpoint) -> Response:
    try:
        check_origin(request)
    except FromElsewhere as refused:
        return render(request, "problem.html", status=403, problem=refused)
    return await call_next(request)


def _reader(request: Request) -> language.Reader:
    chosen = language.choose(request.cookies.get(LANGUAGE), request.headers.get("accept-language", ""))
    readers: Mapping[str, language.Reader] = request.app.state.readers
    return readers[chosen.code]


def _switched(request: Request) -> Response:
    """Keep the language that the address names, and show the same page in it."""
    chosen = language.choose(request.query_params[LANGUAGE], "")
    reply = RedirectResponse(request.url.remove_query_params(LANGUAGE), status_code=303)
    path = request.scope.get("root_path", "") or "/"
    reply.set_cookie(LANGUAGE, chosen.code, max_age=LANGUAGE_AGE_S, path=path, samesite="lax", httponly=True)
    return reply


def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader("isthmus.console"), jinja2.FunctionLoader(_of_package)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    catalogue: Any = made  # what the extension adds is in no stub
    catalogue.install_gettext_callables(language.gettext, language.ngettext, newstyle=True)
    made.filters.update({name: _for_each_reader(one) for name, one in words.FILTERS.items()})
    names: dict[str, Any] = {"asset": _asset_names().__getitem__, "with_query": _with_query}
    made.globals.update(names)
    return made


def _for_each_reader(written: Callable[..., object]) -> Callable[..., object]:
    """Return a filter that Jinja runs for each page: what a template writes out it would keep as the first reader's."""

    @jinja2.pass_context
    def applied(_: object, *values: object, **named: object) -> object:
        return written(*values, **named)

    return applied


def _of_package(name: str) -> str | None:
    """Return a template that is named with its package, `package:name.html`."""
    package, _, file = name.partition(":")
    found = importlib.resources.files(package) / file if file else None
    return found.read_text() if found is not None and found.is_file() else None


async def _menu(pages: Sequence[Page], client: Client) -> Menu:
    """Return the pages that are in the menu of who asks, under their headings, in the order that they were given in."""
    groups: dict[str, list[Page]] = {}
    for page in pages:
        if page.menu and await _is_for(page, client):
            groups.setdefault(page.group, []).append(page)
    return list(groups.items())


async def _is_for(page: Page, client: Client) -> bool:
    try:
        await _check(page, client, EVERYWHERE)
    except errors.NotPermitted:
        return False
    return not page.needs or not ACTING.get().name or await client.is_permitted(page.needs)


def _asset_names() -> dict[str, str]:
    """Return the address of each static file below `static/`, with a hash, so that it may be kept for long."""
    return {
        path.relative_to(_STATIC).as_posix(): f"{path.relative_to(_STATIC).as_posix()}"
        f"?v={hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in _STATIC.rglob("*")
        if path.is_file()
    }


def _with_query(query: QueryParams, **changed: str | None) -> str:
    """Return a query as it is but for what is changed; None leaves a name out."""
    pairs = [(name, value) for name, value in query.multi_items() if name not in changed]
    return "?" + urlencode([(name, value) for name, value in (*pairs, *changed.items()) if value])


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.IsthmusError):
        raise error
    is_missing = isinstance(error, errors.NotFound) or type(error) is errors.NotPermitted  # here it is not used at all
    status = 404 if is_missing else 403 if isinstance(error, errors.NotPermitted) else 400
    return render(request, "problem.html", status=status, problem=error)


def _not_there(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    missing = errors.NotFound(
        f"there is no page at {request.scope['path'].removeprefix(request.scope.get('root_path', ''))}",
        remedy="begin at the map, or search at the top",
    )
    return render(request, "problem.html", status=status, problem=missing)


def _failed(request: Request, error: Exception) -> Response:
    """Say that a page failed; what failed is in the server's log, and no stranger's business."""
    fault = errors.Fault("this page failed", remedy=f"look into the server's log for {type(error).__name__}")
    return render(request, "problem.html", status=500, problem=fault)
