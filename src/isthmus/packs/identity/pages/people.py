"""Staff: who may sign in and as what; inviting, giving and taking roles, signing out, letting in no more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.manifest.actions import ADMINISTER, EVERYWHERE
from isthmus.pages import Asked, Client, GoTo, Shown, ordered

from .. import api
from ..service.staff import staff_of

COLUMNS: Final[Mapping[str, Callable[[api.Member], Any]]] = {
    "name": lambda one: one.name,
    "address": lambda one: one.address,
    "state": lambda one: one.state,
    "seen": lambda one: one.seen_at,
}
STATES: Final = (mark("invited"), mark("active"), mark("disabled"))
DONE: Final = {
    "give": mark("The role was given."),
    "take": mark("The role was taken away."),
    "sign-out": mark("They are signed out everywhere."),
    "disable": mark("They can sign in no more."),
    "enable": mark("They may sign in again."),
}


async def show(asked: Asked, client: Client) -> Shown:
    return await _shown(asked, client)


async def act(asked: Asked, client: Client) -> Shown | GoTo:
    """Do one of the acts of the page for one person."""
    what = asked.form.get("act", "")
    try:
        link = await _ACTS[what](asked, client) if what in _ACTS else ""
    except errors.Refusal as refused:
        return await _shown(asked, client, refused=refused)
    if link:
        return await _shown(asked, client, link=link)
    return GoTo("/people", {"done": what})


async def _shown(asked: Asked, client: Client, *, refused: errors.Refusal | None = None, link: str = "") -> Shown:
    people = await staff_of(client).people()
    return {
        "found": ordered(asked, people, COLUMNS),
        "roles": (*api.ROLES[2:], *api.ROLES[:2]),  # what does most is chosen, and never there by default
        "codes": client.front_ends(),
        "done": DONE.get(asked.query_params.get("done", ""), ""),
        "link": link,
        "site": asked.site,
        "refused": refused,
        "typed": asked.form,
    }


async def _invite(asked: Asked, client: Client) -> str:
    one = await _role(asked, client)
    name, address, part = (asked.form.get(field, "").strip() for field in ("name", "address", "part"))
    related = (api.RelationAt(role=one.role, front_end=one.front_end, part=part),) if part else ()
    return await staff_of(client).invite(
        name, address, () if part else (one,), client.caller(one.front_end), related
    )  # fmt: skip


async def _link(asked: Asked, client: Client) -> str:
    await client.check(ADMINISTER)
    return await staff_of(client).sign_in_link(asked.form.get("name", ""), client.caller(EVERYWHERE))


async def _give(asked: Asked, client: Client) -> str:
    one = await _role(asked, client)
    await staff_of(client).give(asked.form.get("name", ""), one, client.caller(one.front_end))
    return ""


async def _take(asked: Asked, client: Client) -> str:
    one = await _role(asked, client)
    await staff_of(client).take(asked.form.get("name", ""), one, client.caller(one.front_end))
    return ""


async def _sign_out(asked: Asked, client: Client) -> str:
    await client.check(ADMINISTER)
    await staff_of(client).sign_out(asked.form.get("name", ""), client.caller(EVERYWHERE))
    return ""


async def _disable(asked: Asked, client: Client) -> str:
    await client.check(ADMINISTER)
    is_back = asked.form.get("act") == "enable"
    await staff_of(client).disable(asked.form.get("name", ""), client.caller(EVERYWHERE), is_back=is_back)
    return ""


async def _role(asked: Asked, client: Client) -> api.RoleAt:
    """Return the role that is spoken of, at a front end where whoever asks administers people."""
    front_end = asked.form.get("front_end") or EVERYWHERE
    await client.check(ADMINISTER, front_end)
    return api.RoleAt(role=asked.form.get("role", ""), front_end=front_end)


_ACTS: Final[Mapping[str, Callable[[Asked, Client], Awaitable[str]]]] = {
    "invite": _invite,
    "link": _link,
    "give": _give,
    "take": _take,
    "sign-out": _sign_out,
    "disable": _disable,
    "enable": _disable,
}
