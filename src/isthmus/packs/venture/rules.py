"""What holds of what a venture sends: signatures, the chain of its journal, its contract; pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from isthmus.kernel import Value, decode, errors
from isthmus.values import Moment

from . import api

V = TypeVar("V", bound=Value)

TAX: Final = "liabilities:tax"
INCOME: Final = "income:"
EXPENSES: Final = "expenses:"
SENT_LATE_AT_MOST: Final = timedelta(hours=24)  # how far a venture's clock may be ahead
_PERSONAL: Final[Mapping[str, re.Pattern[str]]] = {
    "an e-mail address": re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"),
    "an account number (IBAN)": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b"),
    "a phone number": re.compile(r"(?<![\w-])\+\d[\d /().-]{7,17}\d\b"),
}
_ACCOUNT: Final = re.compile(r"(assets|liabilities|income|expenses|equity)(:[a-z0-9][a-z0-9-]*)+")


class ChainedEntry(Value):
    """An entry as it comes: `entry` is JSON in a text, so that its bytes are what was hashed."""

    number: int
    before: str
    entry: str


class Sale(Value):
    """What was sold, or went back, as a venture exports it."""

    number: int
    sale_id: str
    kind: Literal["sale", "refund"]
    order_id: str
    member: str
    at: Moment
    item: str
    currency: str
    net_minor: int
    tax_minor: int


class JournalPage(Value):
    venture: str
    after: int
    items: tuple[ChainedEntry, ...]
    is_last: bool


class SalesPage(Value):
    venture: str
    after: int
    items: tuple[Sale, ...]
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An entry that fits where the journal stands, and its hash."""

    number: int
    hash: str
    entry: api.JournalEntry
    net_minor: int
    tax_minor: int
    spent_minor: int
    currency: str


def is_signed(key: str, page: str, signature: str) -> bool:
    """Say whether a page was signed with a key, both in base64url."""
    try:
        public = Ed25519PublicKey.from_public_bytes(_bytes_of(key))
        public.verify(_bytes_of(signature), page.encode())
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def page_of(what: str, text: str, kind: type[V], code: str) -> V:
    """Return a page by its contract. Raises ContractBroken with the place of what does not fit."""
    try:
        found: Any = decode(text.encode(), kind)
    except errors.BadAsk as wrong:
        raise broken(what, wrong.message, wrong.path or "$", wrong.remedy) from None
    if found.venture != code:
        raise broken(what, f"it is of {found.venture!r}, and not of {code!r}", "$.venture", "send pages of your own")
    if len(found.items) > api.PAGE_MAX:
        raise broken(what, f"it has {len(found.items)} items", "$.items", f"send at most {api.PAGE_MAX} at once")
    return found


def broken(what: str, problem: str, path: str, remedy: str) -> api.ContractBroken:
    return api.ContractBroken(what=what, problem=problem, path=path, remedy=remedy)


def chained(page: JournalPage, number: int, before: str) -> list[Taken]:
    """Return the entries of a page that go on after `number`, whose hash is `before`.

    Raises JournalGap, JournalRewritten and ContractBroken.
    """
    found: list[Taken] = []
    for at, one in enumerate(page.items):
        if one.number != number + 1:
            raise api.JournalGap(what="journal", expected=number + 1, found=one.number)
        if one.before != before:
            raise api.JournalRewritten(number=one.number, path=f"$.items[{at}].before")
        number, before = one.number, api.entry_hash(one.before, one.entry)
        found.append(_taken(one, before, f"$.items[{at}].entry"))
    return found


def _taken(one: ChainedEntry, hash_: str, path: str) -> Taken:
    try:
        entry = decode(one.entry.encode(), api.JournalEntry)
    except errors.BadAsk as wrong:
        raise broken("journal", wrong.message, path + (wrong.path or "$")[1:], wrong.remedy) from None
    for at, leg in enumerate(entry.legs):
        if not _ACCOUNT.fullmatch(leg.account):
            raise broken(
                "journal", f"{leg.account!r} is no account", f"{path}.legs[{at}].account", "call it like income:sales"
            )
        if not leg.amount.minor:
            raise broken("journal", "a leg of nothing", f"{path}.legs[{at}].amount", "leave it out")
    currencies = {leg.amount.currency for leg in entry.legs}
    if len(currencies) > 1:
        raise broken("journal", "its legs have several currencies", f"{path}.legs", "write an entry for each currency")
    if difference := sum(leg.amount.minor for leg in entry.legs):
        raise broken(
            "journal",
            f"entry {entry.reference!r} is out of balance by {difference}",
            f"{path}.legs",
            "debits are positive, credits negative, and together they are zero",
        )
    return Taken(
        number=one.number,
        hash=hash_,
        entry=entry,
        net_minor=-sum(leg.amount.minor for leg in entry.legs if leg.account.startswith(INCOME)),
        tax_minor=-sum(leg.amount.minor for leg in entry.legs if leg.account.startswith(TAX)),
        spent_minor=sum(leg.amount.minor for leg in entry.legs if leg.account.startswith(EXPENSES)),
        currency=next(iter(currencies)),
    )


def sales_of(page: SalesPage, number: int, now: datetime) -> list[Sale]:
    """Return the sales of a page that go on after `number`. Raises JournalGap and ContractBroken."""
    for at, one in enumerate(page.items):
        path = f"$.items[{at}]"
        if one.number != number + 1:
            raise api.JournalGap(what="sales", expected=number + 1, found=one.number)
        number = one.number
        if not re.fullmatch("[A-Z]{3}", one.currency):
            raise broken("sales", f"{one.currency!r} is no currency", f"{path}.currency", "use ISO 4217, such as EUR")
        if (one.net_minor < 0 or one.tax_minor < 0) if one.kind == "sale" else one.net_minor > 0:
            raise broken(
                "sales", f"a {one.kind} of {one.net_minor}", f"{path}.net_minor", "a sale adds, and a refund takes away"
            )
        if one.at > now + SENT_LATE_AT_MOST:
            raise broken("sales", f"{one.at.isoformat()} is to come", f"{path}.at", "set the venture's clock")
        for name in ("sale_id", "order_id", "item"):
            text = str(getattr(one, name))
            if not 0 < len(text) <= 120:
                raise broken("sales", f"it has {len(text)} characters", f"{path}.{name}", "send 1 to 120")
            if kind := personal_in(text):
                raise broken(
                    "sales",
                    f"it holds {kind}, and this field is not marked as personal",
                    f"{path}.{name}",
                    "send codes; who bought is in member alone",
                )
        if kind := personal_in(one.member):
            raise broken("sales", f"it holds {kind}", f"{path}.member", "send the subject (sub) of the group's sign-in")
    return list(page.items)


def personal_in(text: str) -> str:
    """Return what a text seems to hold of a person, or nothing."""
    return next((kind for kind, pattern in _PERSONAL.items() if pattern.search(text)), "")


def killed_on(charter: api.Charter, sales: int, today: date) -> date | None:
    """Return the day from which the kill criterion holds; none while it does not."""
    return charter.kill.by if today > charter.kill.by and sales < charter.kill.sales else None


def all_met(findings: Sequence[api.Finding]) -> bool:
    return len(findings) == 4 and all(one.is_met for one in findings)
