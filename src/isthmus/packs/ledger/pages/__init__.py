"""The books on pages: what stands on accounts, entries with what they were booked for, trial balances."""

from __future__ import annotations

from typing import Any, Final

from isthmus.kernel import Value, decode, encode
from isthmus.language import mark
from isthmus.pages import Asked, Client, Found, Shown

from .. import api, rules

ACCOUNTS: Final = "ledger.list-accounts"
ENTRIES: Final = "ledger.list-entries"
TRIAL: Final = "ledger.trial-balance"
PAGE_SIZE: Final = 50
SHOWN: Final = (mark("exchange"),)  # kinds of entries that the books make themselves
_ORDER: Final = "order.get-order"


async def show_accounts(request: Asked, client: Client) -> Shown:
    names = ("below", "owner", "cursor")
    asked, codes, code = _asked(request, client, ACCOUNTS, *names, "since", "until")  # days: for the entries behind
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    if code:
        page = await client.call(code, ACCOUNTS, {**{name: asked[name] for name in names}, "limit": PAGE_SIZE})
    return {"asked": asked, "codes": codes, "code": code, "page": page}


async def show_entries(request: Asked, client: Client) -> Shown:
    names = ("account", "owner", "currency", "subject", "kind", "since", "until", "cursor")
    asked, codes, code = _asked(request, client, ENTRIES, *names)
    page: dict[str, Any] = {"items": [], "next_cursor": None}
    if code:
        page = await client.call(code, ENTRIES, {**asked, "limit": PAGE_SIZE})
    balance = None
    if code and asked["account"] and asked["currency"]:
        account = {"code": asked["account"], "owner": asked["owner"], "currency": asked["currency"]}
        balance = await client.find(code, "ledger.get-balance", account)
    orders = await _orders(client, code, {one["subject"] for one in page["items"]})
    return {"asked": asked, "codes": codes, "code": code, "page": page, "balance": balance, "orders": orders}


async def _orders(client: Client, code: str, subjects: set[str]) -> set[str]:
    """Return the subjects that are orders."""
    return {one for one in sorted(subjects) if one and await client.find(code, _ORDER, {"order_id": one})}


async def show_trial(request: Asked, client: Client) -> Shown:
    asked, codes, code = _asked(request, client, TRIAL, "since", "until")
    trial: dict[str, Any] = {"lines": [], "difference": []}
    if code:
        trial = await client.call(code, TRIAL, asked)
    sheets = [
        (name, await client.find(code, name, asked)) for name in ("ledger.income-statement", "ledger.balance-sheet")
    ]
    return {
        "asked": asked,
        "codes": codes,
        "code": code,
        "trial": trial,
        "is_zero": not any(one["minor"] for one in trial["difference"]),
        "statements": {name.rpartition(".")[2]: found for name, found in sheets if found},
        "period": await client.find(code, "ledger.get-period", {}) if code else None,
    }


async def show_group(request: Asked, client: Client) -> Shown:
    """Show the books of front ends as one: of those that are chosen, or of all whose books may be seen."""
    asked = {name: request.query_params.get(name, "").strip() for name in ("since", "until")}
    codes = client.users(TRIAL)
    chosen = [code for code in codes if f"of-{code}" in request.query_params] or codes
    books = {code: await client.call(code, TRIAL, {**asked, "by_front_end": True}) for code in chosen}
    group = rules.consolidated({code: decode(encode(book), api.TrialBalance) for code, book in books.items()})
    return {
        "asked": asked,
        "codes": codes,
        "chosen": chosen,
        "lines": [_plain(one) for one in group.lines],
        "between": [
            {"one": pair.one, "other": pair.other}
            | {name: _plain(getattr(pair, name)) for name in ("of_one", "of_other", "left")}
            for pair in group.between
        ],
        "income": [_plain(one) for one in group.income],
        "is_zero": not any(one.minor for one in group.difference),
    }


def _plain(value: Value) -> dict[str, Any]:
    return decode(encode(value), dict[str, Any])


async def find(text: str, front_end: str, client: Client) -> list[Found]:
    """Return the entry that has a reference, and the entries about a subject."""
    entry = await client.find(front_end, "ledger.get-entry", {"reference": text})
    subject = entry["subject"] if entry else text
    found = await client.find(front_end, ENTRIES, {"subject": subject, "limit": 1}) if subject else None
    path = f"/entries?front_end={front_end}&subject={subject}"
    return [Found("entries", text, path, front_end)] if found and found["items"] else []


def _asked(request: Asked, client: Client, capability: str, *names: str) -> tuple[dict[str, str], list[str], str]:
    """Return what the address asks for, who may see it, and whose books are shown."""
    codes = client.users(capability)
    asked = {name: request.query_params.get(name, "").strip() for name in names}
    return asked, codes, request.query_params.get("front_end", "").strip() or next(iter(codes), "")
