"""Signing in: address and password, the second factor, a link; and signing out."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from isthmus.kernel import errors
from isthmus.pages import Asked, Away, Client, Enter, GoTo, Leave, Shown

from ..service import entering, passkeys, vouching
from ..service.entering import Browser, Entered
from ..service.staff import staff_of

HOME: Final = "/"
CODE: Final = "/sign-in/code"


async def show(asked: Asked, client: Client) -> Shown | GoTo:
    if await staff_of(client).known(asked.session) is not None:
        return GoTo(HOME)
    return {"next": HOME, "refused": None, "address": "", **staff_of(client).offers}


async def sign_in(asked: Asked, client: Client) -> Shown | Enter:
    staff, address = staff_of(client), asked.form.get("address", "")
    try:
        done = await entering.by_password(staff, address, asked.form.get("password", ""), browser_of(asked))
    except errors.Refusal as refused:
        return {"next": next_of(asked), "refused": refused, "address": address, **staff.offers}
    return entered(done, next_of(asked))


async def show_code(asked: Asked, client: Client) -> Shown:
    return {"next": asked.query_params.get("next", HOME), "refused": None}


async def give_code(asked: Asked, client: Client) -> Shown | Enter:
    staff = staff_of(client)
    try:
        done = await entering.with_code(staff, asked.session, asked.form.get("code", ""), browser_of(asked))
    except errors.Refusal as refused:
        return {"next": next_of(asked), "refused": refused}
    return entered(done, next_of(asked))


async def go_to_provider(asked: Asked, client: Client) -> Shown | Away:
    """Send somebody to a provider, and have them back at `/sign-in/back`."""
    staff, next = staff_of(client), asked.query_params.get("next", HOME)
    try:
        return Away(*await vouching.begin(staff, asked.path_params["provider"], _back(asked), next))
    except errors.IsthmusError as refused:
        return {"next": next, "refused": refused, "address": "", **staff.offers}


async def come_back(asked: Asked, client: Client) -> Shown | Enter:
    staff = staff_of(client)
    try:
        done, next = await vouching.come_back(staff, asked.away, asked.query_params, _back(asked), browser_of(asked))
    except errors.IsthmusError as refused:
        return {"next": HOME, "refused": refused, "address": "", **staff.offers}
    return replace(entered(done, _own(next)), is_from_elsewhere=True)


async def leave_by_provider(asked: Asked, client: Client) -> Shown:
    """Take a provider's word that somebody has signed out there."""
    await vouching.left(staff_of(client), asked.path_params["provider"], asked.form.get("logout_token", ""))
    return {"next": HOME, "refused": None, "address": "", **staff_of(client).offers}


def _back(asked: Asked) -> str:
    return f"{asked.site}{asked.root}/sign-in/back"


async def show_passkey(asked: Asked, client: Client) -> Shown:
    options = await passkeys.options_to_enter(staff_of(client), asked.site)
    return {"next": asked.query_params.get("next", HOME), "refused": None, "options": options}


async def use_passkey(asked: Asked, client: Client) -> Shown | Enter:
    staff, credential = staff_of(client), asked.form.get("credential", "")
    try:
        done = await passkeys.by_passkey(staff, asked.site, credential, browser_of(asked))
    except errors.Refusal as refused:
        options = await passkeys.options_to_enter(staff, asked.site)
        return {"next": next_of(asked), "refused": refused, "options": options}
    return entered(done, next_of(asked))


async def show_link(asked: Asked, client: Client) -> Shown:
    """Show whose link it is; it is used by the button, so that nobody's scanner of mails uses it up."""
    return await _link(asked.query_params.get("link", ""), client, None)


async def use_link(asked: Asked, client: Client) -> Shown | Enter:
    staff, link, password = staff_of(client), asked.form.get("link", ""), asked.form.get("password", "")
    try:
        address = asked.form.get("address", "")
        done = await entering.by_link(staff, link, browser_of(asked), password=password, address=address)
    except errors.Refusal as refused:
        return await _link(link, client, refused)
    return entered(done, HOME)


async def _link(link: str, client: Client, refused: errors.Refusal | None) -> Shown:
    try:
        found = await entering.looked_at(staff_of(client), link)
    except errors.Refusal as spent:
        return {"link": "", "found": None, "refused": spent}
    return {"link": link, "found": found, "refused": refused}


async def sign_out(asked: Asked, client: Client) -> Leave:
    await entering.leave(staff_of(client), asked.session)
    return Leave("/sign-in")


def entered(done: Entered, path: str) -> Enter:
    if done.lacks_code:
        return Enter(CODE, session=done.session, age_s=done.age_s)
    return Enter(path, session=done.session, age_s=done.age_s, device=done.device)


def next_of(asked: Asked) -> str:
    """Return the page that was asked for before signing in: one of the console's, wherever a form says to go."""
    return _own(asked.form.get("next", HOME))


def _own(said: str) -> str:
    return said if said.startswith("/") and not said.startswith("/sign-in") else HOME


def browser_of(asked: Asked) -> Browser:
    return Browser(address=asked.address, agent=asked.agent, device=asked.device)
