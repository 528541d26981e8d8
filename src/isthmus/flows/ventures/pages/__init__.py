"""Ventures in the console: what each owes and whether it does, what it sold, and for how long it may."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from isthmus.governance.ladder.rungs import RUNGS
from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.packs.venture import api as venture
from isthmus.pages import Asked, Client, GoTo, Shown

from ..rules import CRITERIA, NOTICES
from ..service.ladder import Ladder

STANDING: Final = "venture.get-standing"
CHECK: Final = "ventures.check"
JOINING: Final = {"prices": "venture.list-estimates", "operations": "venture.list-operations"}
ANSWERED_BY: Final = {
    "own": mark("the venture"),
    "shadow": mark("the venture, with the platform in its shadow"),
    "platform": mark("the platform"),
}
RUNG_TITLES: Final = {
    "independent": mark("Independent: outside, with four obligations"),
    "sandbox": mark("Sandbox: on the platform, used by one front end at most"),
    "incubating": mark("Incubating: two front ends rely on it"),
    "shared": mark("Shared: three teams rely on it"),
    "core": mark("Core: most front ends rely on it"),
}
OBLIGATIONS: Final = {
    "identity": mark("It signs people in with the group's account"),
    "books": mark("Its money reaches the ledger, and balances"),
    "security": mark("Its data needs a key, and persons are marked"),
    "export": mark("What it sold reaches the group's numbers"),
}


async def show(request: Asked, client: Client) -> Shown:
    return await _shown(request, client)


async def ladder(_request: Asked, client: Client) -> Shown:
    """Show every rung from the top, with what stands there and what is missing for the next."""
    found = await client.resource(Ladder).read(client.platform)
    rungs = {rung: [one for one in found if one.rung == rung] for rung in reversed(RUNGS)}
    return {"rungs": rungs, "titles": RUNG_TITLES, "asks": CRITERIA, "notices": NOTICES}


async def act(request: Asked, client: Client) -> Shown | GoTo:
    """Check a venture now."""
    code = request.form.get("front_end", "")
    try:
        await client.call(code, CHECK, {})
    except errors.IsthmusError as refused:
        return await _shown(request, client, refused)
    return GoTo("/ventures", {"done": code})


async def _shown(request: Asked, client: Client, refused: errors.IsthmusError | None = None) -> Shown:
    found: list[dict[str, Any]] = []
    broken: list[tuple[str, errors.IsthmusError]] = []
    for code in client.users(STANDING):
        try:
            standing = await client.call(code, STANDING, {})
            joining = {name: (await client.call(code, ask, {}))["items"] for name, ask in JOINING.items()}
            found.append({**_venture(standing, may_check=client.may(code, CHECK)), **joining})
        except errors.NotFound:
            continue  # a front end that is no venture
        except errors.BadAsk as wrong:
            broken.append((code, wrong))
    return {
        "ventures": sorted(found, key=lambda one: (one["met"], one["charter"]["code"])),
        "broken": broken,
        "obligations": OBLIGATIONS,
        "answered_by": ANSWERED_BY,
        "refused": refused,
        "done": request.query_params.get("done", ""),
    }


def _venture(standing: dict[str, Any], *, may_check: bool) -> dict[str, Any]:
    known = {one["obligation"]: one for one in standing["findings"]}
    met = sum(one["is_met"] for one in known.values())
    typed = msgspec.convert(standing, venture.Standing)
    budget, spent = typed.charter.money, typed.spent
    sums = {"budget": msgspec.to_builtins(budget), "spent": msgspec.to_builtins(spent)}
    return {
        **standing, **sums,
        "is_overspent": spent.minor > budget.minor, "known": known, "met": met, "may_check": may_check,
    }  # fmt: skip
