"""What a venture owes, checked one by one; what stands in the way is a finding too, with how to fix it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from isthmus.kernel import Context, Value, decode, errors, implements
from isthmus.packs.ledger import api as ledger
from isthmus.packs.venture import api as venture

from .. import api
from . import identity
from .identity import Unmet
from .pulling import taken
from .wire import Wire

ALL: Final[tuple[venture.ObligationName, ...]] = get_args(venture.ObligationName)
DATA: Final = (("GET", "journal"), ("GET", "sales"), ("GET", "audit"), ("GET", "contract"), ("POST", "forget"))
NEEDED: Final = {
    "sale_id": "string", "kind": "string", "order_id": "string", "member": "string", "at": "moment", "item": "string",
    "currency": "string", "net_minor": "integer", "tax_minor": "integer",
}  # fmt: skip
LOOKED_AT: Final = 100  # sales whose fields are looked at for what nobody has marked


class _Field(Value):
    name: str
    type: str
    personal: str = ""


class _Place(Value):
    place: str
    personal: str = ""


class _Contract(Value):
    """What a venture says of its sales, and where it keeps personal data."""

    version: str
    sales: tuple[_Field, ...]
    keeps: tuple[_Place, ...]


Seen = Callable[[Wire, Context], Awaitable[str]]


@implements(api.check)
async def check(ask: api.Check, ctx: Context) -> api.Checked:
    charter = ctx.resource(venture.Charters).of(ctx.front_end)
    found: list[venture.FindingDraft] = []
    for name in ask.obligations or ALL:
        async with Wire(charter) as wire:  # each with a browser of its own
            found.append(await _finding(name, wire, ctx))
    noted = await ctx.call(venture.note_findings, venture.NoteFindings(items=tuple(found)))
    asked = {one.obligation for one in found}
    items = tuple(one for one in noted.items if one.obligation in asked)
    return api.Checked(items=items, is_met=all(one.is_met for one in items))


async def _finding(name: venture.ObligationName, wire: Wire, ctx: Context) -> venture.FindingDraft:
    try:
        said = await _CHECKS[name](wire, ctx)
    except Unmet as wrong:
        return venture.FindingDraft(obligation=name, is_met=False, said=wrong.said[:1_000], remedy=wrong.remedy[:1_000])
    except errors.IsthmusError as wrong:
        place = f" ({wrong.path})" if wrong.path and wrong.path not in wrong.message else ""
        return venture.FindingDraft(
            obligation=name, is_met=False, said=f"{wrong.message}{place}"[:1_000], remedy=wrong.remedy[:1_000]
        )
    return venture.FindingDraft(obligation=name, is_met=True, said=said[:1_000])


async def _books(wire: Wire, ctx: Context) -> str:
    """Whether its money reaches the ledger, balanced, and is what it says it sold."""
    if not wire.charter.obligations.key:
        raise Unmet(
            "its charter has no key that its pages are signed with",
            "write [obligations] key = the public half, as the venture prints it when it starts",
        )
    new = await taken(wire, ctx, "journal")
    stands = await ctx.call(venture.get_position, venture.GetPosition())
    await _stands_as_taken(wire, stands)
    await taken(wire, ctx, "sales")
    balance = await ctx.call(ledger.trial_balance, ledger.GetTrialBalance())
    if wrong := [str(one) for one in balance.difference if one.minor]:
        raise Unmet(f"its books are out of balance by {', '.join(wrong)}", "report it: the ledger refuses such entries")
    compared = await ctx.call(venture.list_disagreements, venture.ListDisagreements())
    if compared.items:
        first = compared.items[0]
        raise Unmet(
            f"{len(compared.items)} sales are booked otherwise than they were told: {first.sale_id} was sold for "
            f"{first.sold_net} and {first.sold_tax} tax, and booked with {first.booked_net} and {first.booked_tax} "
            f"(minor units of {first.currency})",
            "book each sale and refund once, its sale_id as the entry's subject, on income:… and liabilities:tax:…",
        )
    return (
        f"{stands.journal} entries are in the ledger, {new} of them new, and balance; "
        f"{compared.agreeing} sales agree with them to the cent"
    )


async def _stands_as_taken(wire: Wire, stands: venture.Position) -> None:
    """See whether the last entry that was taken is still the one that the venture shows."""
    if not stands.journal:
        return
    items = _items(await wire.page("journal", stands.journal - 1))
    first = items[0] if items else {}
    if venture.entry_hash(str(first.get("before", "")), str(first.get("entry", ""))) != stands.hash:
        raise venture.JournalRewritten(number=stands.journal, path="$.items[0]")


async def _security(wire: Wire, ctx: Context) -> str:
    """Whether its data needs a key, personal data is marked, and who looked is written down."""
    _is_private(wire.charter.url)
    for method, path in DATA:
        for what, headers in (("without a key", {}), ("with a wrong key", {"authorization": "Bearer wrong"})):
            reply = await wire.send(method, f"/obligations/{path}", headers=headers)
            if reply.status_code not in (401, 403):
                raise Unmet(
                    f"{method} /obligations/{path} {what} answers {reply.status_code}",
                    f"answer 401 to whoever does not bring the key in {wire.charter.obligations.secret}",
                )
    kept = (await _contract(wire)).keeps
    if not kept or not all(one.place and one.personal for one in kept):
        raise Unmet(
            "GET /obligations/contract does not say where it keeps personal data, and of what kind ($.keeps)",
            'list each place as {"place": "member.email", "personal": "email"}',
        )
    asked = f"check-{secrets.token_hex(8)}"
    await wire.obliged("GET", f"contract?for={asked}")
    audit = await wire.obliged("GET", f"audit?about={asked}")
    if asked not in audit.text:
        raise Unmet(
            f"its audit does not have that its contract was asked for with for={asked}",
            "write down who asks for data, when, for what, and list it at /obligations/audit?about=…",
        )
    return (
        f"{2 * len(DATA)} askings without its key were refused; {len(kept)} places of personal data are marked; "
        "the audit has who asked"
    )


def _is_private(url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_here = ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost"
    if parts.scheme != "https" and not is_here:
        raise Unmet(f"{url} sends data in the clear", "serve it over https")


async def _contract(wire: Wire) -> _Contract:
    reply = await wire.obliged("GET", "contract")
    try:
        return decode(reply.content, _Contract)
    except errors.BadAsk as wrong:
        place = wrong.path or "$"
        raise Unmet(f"GET /obligations/contract does not fit at {place}: {wrong.message}", wrong.remedy) from None


async def _export(wire: Wire, ctx: Context) -> str:
    """Whether what it sold reaches the group's numbers, as its contract says."""
    contract = await _contract(wire)
    fields = {one.name: one for one in contract.sales}
    for name, kind in NEEDED.items():
        if name not in fields:
            raise Unmet(
                f"its contract has no field {name!r} in sales ($.sales)", f'add {{"name": "{name}", "type": "{kind}"}}'
            )
        if fields[name].type != kind:
            raise Unmet(
                f"its contract has {name!r} as {fields[name].type!r} ($.sales)", f"send it as {kind}, and say so"
            )
    if not fields["member"].personal:
        raise Unmet("its contract does not mark member as personal ($.sales)", 'write "personal": "identifier" to it')
    await taken(wire, ctx, "sales")
    stands = await ctx.call(venture.get_position, venture.GetPosition())
    page = await wire.page("sales", max(0, stands.sales - LOOKED_AT))
    for at, row in enumerate(_items(page)):
        if unknown := sorted(set(row) - set(fields) - {"number"}):
            raise Unmet(
                f"its sales have a field {unknown[0]!r} ($.items[{at}].{unknown[0]}) that its contract does not name",
                "name each field in the contract, with what it holds of a person, or leave it out",
            )
    return f"{stands.sales} sales are taken by contract {contract.version}, for the lake and the group's metrics"


def _items(page: venture.SignedPage) -> list[dict[str, Any]]:
    """Return the items of a page as it came, whether it was signed or not. Raises Unmet where it is none."""
    try:
        found: dict[str, list[dict[str, Any]]] = json.loads(page.page)
        return [dict(one) for one in found["items"]]
    except (ValueError, KeyError, TypeError):
        raise Unmet("a page of it is no JSON object with items", "send venture, after, items and is_last") from None


_CHECKS: Final[Mapping[venture.ObligationName, Seen]] = {
    "identity": identity.check,
    "books": _books,
    "security": _security,
    "export": _export,
}
