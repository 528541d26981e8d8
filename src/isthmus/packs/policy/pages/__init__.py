"""Who may call what at a front end, by role."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import errors
from isthmus.pages import Asked, Client, Shown

DECIDE: Final = "policy.decide"
PRINCIPALS: Final = "policy.list-principals"
LIST: Final = "policy.list-actions"
ROLES: Final = ("owner", "operator", "support", "analyst", "auditor", "deployer")


async def show(request: Asked, client: Client) -> Shown:
    codes = client.users(DECIDE)
    query = request.query_params
    asked = {name: query.get(name, "").strip() for name in ("front_end", "who", "role", "action")}
    code = asked["front_end"] or next(iter(codes), "")
    decision, refused = await _decided(asked, code, client)
    related = await client.find(code, PRINCIPALS, {"action": asked["action"]}) if code and asked["action"] else None
    may: dict[str, set[str]] = {}
    for role in ROLES if code else ():
        found = await client.call(code, LIST, {"who": {"person": "anybody", "roles": [role]}})
        may[role] = {*found["actions"]}
    clients: dict[str, Any] = await client.call(code, LIST, {"who": {"client": "any"}}) if code else {"actions": []}
    may["client"] = {*clients["actions"]}
    used = sorted(name for name in set[str]().union(*may.values()) if code and client.may(code, name))
    return {
        "asked": asked,
        "code": code,
        "codes": codes,
        "decision": decision,
        "related": related["relations"] if related else [],
        "refused": refused,
        "roles": (*ROLES, "client"),
        "rows": [(name, [name in may[role] for role in may]) for name in used],
    }


async def _decided(asked: dict[str, str], code: str, client: Client) -> tuple[Any, errors.IsthmusError | None]:
    """Return what was asked for by name, or why it cannot be answered."""
    if not (code and asked["action"]):
        return None, None
    person = {"person": asked["who"] or "anybody", "roles": [asked["role"]]}
    who = person if asked["role"] else {"client": asked["who"] or "any"}
    try:
        return await client.call(code, DECIDE, {"who": who, "action": asked["action"], "via": "console"}), None
    except errors.Refusal as refused:
        return None, refused
