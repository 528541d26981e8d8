"""What people were given of front ends and their parts: who, what, until when, by whom; giving it and ending it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.manifest.actions import SHARE
from isthmus.manifest.parts import FRONT_END, Relation
from isthmus.pages import BIGINT_MAX, Asked, Client, GoTo, Shown, ordered
from isthmus.values import whole_number

from .. import api
from ..service.staff import staff_of

COLUMNS: Final[Mapping[str, Callable[[Relation], Any]]] = {
    "person": lambda one: one.person,
    "what": lambda one: (one.front_end, one.part),
    "until": lambda one: one.ends_at,
    "given": lambda one: one.given_at,
}
DONE: Final = {"give": mark("It was given, and counts from now on."), "end": mark("It has ended.")}


async def show(asked: Asked, client: Client) -> Shown:
    return await _shown(asked, client)


async def act(asked: Asked, client: Client) -> Shown | GoTo:
    """Give a role of something, or end that."""
    what = asked.form.get("act", "")
    front_end = asked.form.get("front_end", "")
    try:
        await client.check(SHARE, front_end)
        staff, by = staff_of(client), client.caller(front_end)
        if what == "end":
            await staff.end_share(whole_number(asked.form.get("id"), 0, BIGINT_MAX) or 0, front_end, by)
        else:
            await staff.share(asked.form.get("name", ""), _meant(asked, front_end), by)
    except errors.Refusal as refused:
        return await _shown(asked, client, refused)
    return GoTo("/shares", {"done": what})


async def _shown(asked: Asked, client: Client, refused: errors.Refusal | None = None) -> Shown:
    codes = client.front_ends()
    found = [one for one in await staff_of(client).relations() if one.front_end in codes]
    return {
        "found": ordered(asked, found, COLUMNS),
        "roles": (*api.ROLES[2:], api.OPERATOR),
        "codes": codes,
        "done": DONE.get(asked.query_params.get("done", ""), ""),
        "refused": refused,
        "typed": asked.form,
    }


def _meant(asked: Asked, front_end: str) -> api.RelationAt:
    part = asked.form.get("part", "").strip() or f"{FRONT_END}/{front_end}"
    return api.RelationAt(
        role=asked.form.get("role", ""), front_end=front_end, part=part, ends_at=_time(asked.form.get("until", ""))
    )


def _time(text: str) -> datetime | None:
    """Return a time of a form, in UTC where it names no zone. Raises BadAsk."""
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise errors.BadAsk(
            f"{text[:40]!r} is no time", remedy="write it like 2026-01-31T18:00", path="until"
        ) from None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)
