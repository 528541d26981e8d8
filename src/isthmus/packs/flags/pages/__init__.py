"""Flags in the console: what is on, changed and approved by whom, who sees what and why, and experiments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.pages import Asked, Client, GoTo, Shown

LIST: Final = "flags.list-flags"
ACTS: Final[Mapping[str, str]] = {
    "kill": "flags.kill-flag",
    "approve": "flags.approve-change",
    "refuse": "flags.refuse-change",
    "put": "flags.put-flag",
}

EXAMPLE: Final = {
    "key": "new-checkout", "variants": {"on": True, "off": False}, "default_variant": "off",
    "targeting": {"fractional": [["on", 10], ["off", 90]]},
}  # fmt: skip
SHOWN: Final = (  # words that pages take from answers, for their translation
    *(mark("put"), mark("kill"), mark("delete"), mark("step"), mark("waiting"), mark("applied"), mark("refused")),
    *(mark("boolean"), mark("string"), mark("number"), mark("object"), mark("no difference was found")),
    *(mark("two proportions (z), fixed horizon"), mark("Welch's t-test, fixed horizon")),
    mark("the split is not as declared: find out why, and believe no number of it"),
    *(mark(f"too early: each variant needs {planned} subjects") for planned in (0,)),
    *(mark(f"{one} is better than {other}") for one, other in (("", ""),)),
    *(mark(f"{one} is worse than {other}") for one, other in (("", ""),)),
)


async def show_list(request: Asked, client: Client) -> Shown:
    codes = client.users(LIST)
    code = request.query_params.get("front_end") or next(iter(codes), "")
    found = await client.call(code, LIST, {}) if code else {"items": [], "version": 0, "has_four_eyes": False}
    waiting = await client.call(code, "flags.list-changes", {"state": "waiting"}) if code else {"items": []}
    return {
        "code": code, "codes": codes, "flags": found, "waiting": waiting["items"],
        "done": request.query_params.get("done", ""), "written": json.dumps(EXAMPLE),
    }  # fmt: skip


async def show_one(request: Asked, client: Client) -> Shown:
    code, key = request.path_params["front_end"], request.path_params["key"]
    asked = {name: request.query_params.get(name, "") for name in ("whom", "with")}
    state = await client.call(code, "flags.get-flag", {"key": key})
    changes = await client.call(code, "flags.list-changes", {"key": key, "limit": 20})
    result = await _experiment(code, key, client) if state["flag"].get("experiment") else None
    shown: Shown = {
        "code": code, "key": key, "state": state, "changes": changes["items"], "asked": asked, "result": result,
        "written": json.dumps(state["flag"], indent=2, ensure_ascii=False), "found": None, "refused": None,
    }  # fmt: skip
    if not (asked["whom"] or asked["with"]):
        return shown
    try:
        context = {"targeting_key": asked["whom"], "attributes": _object(asked["with"])}
        found = await client.call(code, "flags.explain-flag", {"key": key, "context": context})
    except errors.BadAsk as refused:
        return {**shown, "refused": refused}
    return {**shown, "found": found}


async def act(request: Asked, client: Client) -> GoTo:
    """Kill a flag, put one as it is written, or decide a change."""
    form = request.form
    code, key, what = form.get("front_end", ""), form.get("key", ""), form.get("act", "")
    if (capability := ACTS.get(what)) is None:
        raise errors.BadAsk("nothing was chosen", remedy="use a button of the page", path="act")
    note = form.get("note", "")
    if what == "put":
        ask: dict[str, Any] = {"flag": _object(form.get("written", "")), "note": note}
    elif what == "kill":
        ask = {"key": key, "note": note}
    else:
        ask = {"number": int(form["number"]) if form.get("number", "").isdigit() else 0, "note": note}
    await client.call(code, capability, ask)
    return GoTo("/flags", {"front_end": code, "done": what})


async def _experiment(code: str, key: str, client: Client) -> Any:
    try:
        return await client.call(code, "flags.get-experiment", {"key": key})
    except errors.Unavailable as away:
        return {"away": away.message}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError as wrong:
        raise errors.BadAsk(f"this is no JSON: {wrong}", remedy='write an object, such as {"country": "DE"}') from None
    if not isinstance(found, dict):
        raise errors.BadAsk("this is no JSON object", remedy='write one, such as {"country": "DE"}')
    return cast("dict[str, Any]", found)
