"""The books, decided: whether an entry can be booked, what undoes it, what an exchange comes to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from isthmus.kernel import encode
from isthmus.values import Money, decimals, money, rounded

from . import api

_CODE = re.compile(r"(assets|liabilities|income|expenses|equity)(:[a-z0-9][a-z0-9-]*)+")
_OWNER = re.compile(r"((front-end|seller|member|provider)/[\x21-\x7e]+)?")


def fault(legs: Sequence[api.EntryLeg], path: str = "$.legs") -> api.WrongLeg | api.Unbalanced | None:
    """Return what keeps legs from being booked, or nothing. What comes from no ask has to pass it too."""
    sums: dict[str, int] = {}
    for at, leg in enumerate(legs):
        here = f"{path}[{at}]"
        if not _CODE.fullmatch(leg.account):
            return api.WrongLeg(reason=f"{leg.account!r} is no account", path=f"{here}.account")
        if not _OWNER.fullmatch(leg.owner):
            return api.WrongLeg(reason=f"{leg.owner!r} is no owner", path=f"{here}.owner")
        if not leg.amount.minor:
            return api.WrongLeg(reason="a leg of nothing", path=f"{here}.amount")
        sums[leg.amount.currency] = sums.get(leg.amount.currency, 0) + leg.amount.minor
    if len(legs) < 2:
        return api.WrongLeg(reason=f"an entry of {len(legs)} legs, which moves nothing from one to another", path=path)
    wrong = next((money(minor, currency) for currency, minor in sorted(sums.items()) if minor), None)
    return None if wrong is None else api.Unbalanced(difference=wrong, path=path)


def content(draft: api.EntryDraft, reverses: UUID | None = None) -> UUID:
    """Return a digest of all that was asked: what tells a repetition from another entry."""
    said = encode(draft) + (reverses.bytes if reverses else b"")
    return UUID(bytes=hashlib.sha256(said).digest()[:16])


def undone(legs: Iterable[api.EntryLeg]) -> tuple[api.EntryLeg, ...]:
    """Return the legs the other way round."""
    return tuple(api.EntryLeg(account=leg.account, owner=leg.owner, amount=-leg.amount) for leg in legs)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What an exchange comes to: what is bought, what that is worth of what was sold, and what rounding made."""

    bought: Money
    worth: Money
    lost: Money


def exchanged(sold: Money, currency: str, rate: str) -> Exchanged | None:
    """Return what an amount comes to at a rate; None where it comes to nothing.

    What is bought is rounded once. What that is worth at the same rate, rounded the same way, goes through the trading
    account, and the rest is rounding: so the way back at the inverse rate leaves nothing on the trading account.
    """
    inverse, _, per = rate.rpartition("/")
    factor = Fraction(per)
    if not factor or sold.minor <= 0 or sold.currency == currency:
        return None
    factor = (1 / factor if inverse else factor) * Fraction(10) ** (decimals(currency) - decimals(sold.currency))
    bought = rounded(sold.minor * factor)
    worth = rounded(bought / factor)
    if not bought:
        return None
    return Exchanged(
        bought=money(bought, currency),
        worth=money(worth, sold.currency),
        lost=money(sold.minor - worth, sold.currency),
    )


def exchange_draft(ask: api.Exchange, found: Exchanged) -> api.EntryDraft:
    """Return the entry of an exchange."""
    legs = (
        api.EntryLeg(account=ask.source, owner=ask.source_owner, amount=-ask.sold),
        api.EntryLeg(account=ask.trading, amount=found.worth),
        api.EntryLeg(account=ask.rounding, amount=found.lost),
        api.EntryLeg(account=ask.trading, amount=-found.bought),
        api.EntryLeg(account=ask.target, owner=ask.target_owner, amount=found.bought),
    )
    return api.EntryDraft(
        reference=ask.reference,
        kind="exchange",
        legs=tuple(leg for leg in legs if leg.amount.minor),
        value_date=ask.value_date,
        subject=ask.subject,
        metadata={"rate": ask.rate, "pair": f"{ask.sold.currency}/{ask.currency}"},
    )
