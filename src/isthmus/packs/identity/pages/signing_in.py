"""Signing in: address and password, the second factor, a link; and signing out."""

from __future__ import annotations

from typing import Final

from isthmus.kernel import errors
from isthmus.pages import Asked, Client, Enter, GoTo, Leave, Shown

from ..service import entering
from ..service.entering import Browser, Entered
from ..service.staff import staff_of

HOME: Final = "/"
CODE: Final = "/sign-in/code"


async def show(asked: Asked, client: Client) -> Shown | GoTo:
    if await staff_of(client).known(asked.session) is not None:
        return GoTo(HOME)
    return {"next": HOME, "refused": None, "address": ""}


async def sign_in(asked: Asked, client: Client) -> Shown | Enter:
    staff, address = staff_of(client), asked.form.get("address", "")
    try:
        done = await entering.by_password(staff, address, asked.form.get("password", ""), browser_of(asked))
    except errors.Refusal as refused:
        return {"next": next_of(asked), "refused": refused, "address": address}
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
    said = asked.form.get("next", HOME)
    return said if said.startswith("/") and not said.startswith("/sign-in") else HOME


def browser_of(asked: Asked) -> Browser:
    return Browser(address=asked.address, agent=asked.agent, device=asked.device)
