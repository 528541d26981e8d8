"""The books, decided: whether an entry can be booked, what undoes it, what an exchange comes to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from isthmus.kernel import encode
from isthmus.values import MINOR_MAX, Money, decimals, money, rounded

from . import api

_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")


def content(draft: api.EntryDraft, reverses: UUID | None = None) -> str:
    """Return a digest of all that was asked, 32 hex digits: what tells a repetition from another entry."""
    said = encode(draft) + (reverses.bytes if reverses else b"")
    return hashlib.sha256(said).hexdigest()[:32]


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
    """Return what an amount comes to at a rate; None where it comes to nothing, or to too much.

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
    if not 0 < bought <= MINOR_MAX:
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


def summed(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """Return what amounts come to, by currency."""
    sums: dict[str, int] = {}
    for amount in amounts:
        sums[amount.currency] = sums.get(amount.currency, 0) + amount.minor
    return tuple(money(minor, currency) for currency, minor in sorted(sums.items()))


@dataclass(frozen=True, slots=True)
class Between:
    """What stands between two front ends in a currency: in the books of each, on all its accounts of the other.

    Once both have booked it is zero together; what is left is on its way, or not yet taken notice of.
    """

    one: str
    other: str
    of_one: Money
    of_other: Money

    @property
    def left(self) -> Money:
        return self.of_one + self.of_other


@dataclass(frozen=True, slots=True)
class Group:
    """The books of several front ends as one: accounts without what they have of each other, which is eliminated."""

    lines: tuple[api.TrialLine, ...]
    between: tuple[Between, ...]
    income: tuple[Money, ...]  # by currency: what was earned and spent in the time
    difference: tuple[Money, ...]  # of all lines, and what is left between them: zero


def consolidated(books: Mapping[str, api.TrialBalance]) -> Group:
    """Return the books of front ends as one. Each trial balance is asked for with `by_front_end`, of the same days."""
    sums: dict[tuple[str, str], list[int]] = {}
    stands: dict[tuple[str, str, str], int] = {}
    for front_end, book in books.items():
        for line in book.lines:
            other = line.owner.removeprefix("front-end/")
            if other in books and other != front_end:
                place = (front_end, other, line.closing.currency)
                stands[place] = stands.get(place, 0) + line.closing.minor
                continue
            into = sums.setdefault((line.code, line.closing.currency), [0, 0, 0, 0])
            for at, amount in enumerate((line.opening, line.debit, line.credit, line.closing)):
                into[at] += amount.minor
    lines = tuple(
        api.TrialLine(
            code=code,
            opening=money(opening, currency),
            debit=money(debit, currency),
            credit=money(credit, currency),
            closing=money(closing, currency),
        )
        for (code, currency), (opening, debit, credit, closing) in sorted(sums.items())
    )
    pairs = sorted({(min(one, other), max(one, other), currency) for one, other, currency in stands})
    between = tuple(
        Between(
            one, other, *(money(stands.get((*place, currency), 0), currency) for place in ((one, other), (other, one)))
        )
        for one, other, currency in pairs
    )
    return Group(
        lines=lines,
        between=between,
        income=summed(line.credit - line.debit for line in lines if line.code.startswith(("income:", "expenses:"))),
        difference=summed([*(line.closing for line in lines), *(one.left for one in between)]),
    )


def heading(form: str, accounts: Iterable[api.AccountRef]) -> str:
    """Return what a journal begins with: its columns, or the accounts that it names, opened before anything was."""
    if form == "csv":
        return "value_date,reference,kind,subject,account,owner,amount,currency\r\n"
    opened = {_spelt(one.code, one.owner): "" for one in accounts}
    return "".join(f"0001-01-01 open {name}\n" for name in opened) + "\n"


def written(form: str, entry: api.Entry) -> str:
    """Return an entry as text."""
    if form == "csv":
        header = (entry.value_date.isoformat(), entry.reference, entry.kind, entry.subject)
        rows = [(*header, leg.account, leg.owner, *str(leg.amount).split()) for leg in entry.legs]
        return "".join(",".join(map(_cell, row)) + "\r\n" for row in rows)
    what = f'{entry.value_date} * "{_quoted(entry.kind)}" "{_quoted(entry.memo or entry.reference)}"\n'
    about = f'  reference: "{_quoted(entry.reference)}"\n'
    legs = "".join(f"  {_spelt(leg.account, leg.owner)}  {leg.amount}\n" for leg in entry.legs)
    return f"{what}{about}{legs}\n"


def _spelt(code: str, owner: str) -> str:
    """Return an account as plain-text accounting writes it: `Liabilities:Sellers:Seller-17`."""
    parts = [*code.split(":"), *([_segment(owner)] if owner else [])]
    return ":".join(part[:1].upper() + part[1:] for part in parts)


def _segment(owner: str) -> str:
    """Return an owner in the letters that are allowed; what others would be written like ends in a digest of it."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", owner).strip("-")
    is_whole = plain == owner.replace("/", "-", 1)
    return plain if is_whole else f"{plain}-{hashlib.sha256(owner.encode()).hexdigest()[:8]}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _cell(text: str) -> str:
    """Return a cell of CSV: quoted where it must be, and never taken for a formula."""
    is_formula = text[:1] in ("=", "+", "@", "\t", "\r") or (text[:1] == "-" and not _NUMBER.fullmatch(text))
    text = f"'{text}" if is_formula else text
    return '"' + text.replace('"', '""') + '"' if any(one in text for one in ',"\r\n') else text
