"""Invoices, reckoned: tax and totals as EN 16931 has them (BR-CO-10 to BR-CO-17), refusals, and numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Final
from uuid import UUID

from isthmus.kernel import encode, errors
from isthmus.values import Address, Money, decimals, money, rounded

from . import api

PPM: Final = 1_000_000
DECIMALS: Final = 2  # of any amount of EN 16931
# What rounding may explain, for each line and charge: a tax of several parts, each rounded by itself, and the net.
ROUNDING_PER_LINE: Final = 4
NEEDS_VAT_ID: Final = ("AE", "K")  # the buyer's number says who owes the tax
SETTINGS: Final = "invoicing."  # of a front end: who sells
# Why there is no tax, where nothing else was said.
REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "E": ("Exempt from VAT", ""),
    "AE": ("Reverse charge", "VATEX-EU-AE"),
    "K": ("Intra-Community supply", "VATEX-EU-IC"),
    "G": ("Export outside the EU", "VATEX-EU-G"),
    "O": ("Not subject to VAT", "VATEX-EU-O"),
}


def content(draft: api.InvoiceDraft) -> UUID:
    """Return a digest of all that was asked: what tells a repetition from another invoice."""
    return UUID(bytes=hashlib.sha256(encode(draft)).digest()[:16])


def seller_setting(settings: Mapping[str, str]) -> str:
    """Return the first setting that an invoice lacks of who sells, or nothing."""
    wanted = ("name", "country", "vat_id" if "legal_id" not in _own(settings) else "legal_id")
    return next((f"{SETTINGS}{one}" for one in wanted if not _own(settings).get(one)), "")


def seller(settings: Mapping[str, str]) -> api.Party:
    """Return who sells, as the settings of a front end say."""
    own = _own(settings)
    return api.Party(
        name=own["name"],
        address=Address(
            country=own["country"],
            city=own.get("city", ""),
            postcode=own.get("postcode", ""),
            street=own.get("street", ""),
        ),
        vat_id=own.get("vat_id", ""),
        legal_id=own.get("legal_id", ""),
        email=own.get("email", ""),
    )


def _own(settings: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(SETTINGS): said for name, said in settings.items() if name.startswith(SETTINGS)}


def series_of(kind: api.InvoiceKind, today: date) -> str:
    """Return the series that an invoice of a day is numbered in."""
    return f"{'C' if kind is api.InvoiceKind.CREDIT_NOTE else ''}{today.year}"


def number(prefix: str, series: str, sequence: int) -> str:
    return f"{prefix}{series}-{sequence:06d}"


def fault_of(draft: api.InvoiceDraft, sells: api.Party) -> errors.Refusal | None:
    """Return why a draft is refused by itself, if it is."""
    return next(_faults(draft, sells), None)


def _faults(draft: api.InvoiceDraft, sells: api.Party) -> Iterator[errors.Refusal]:
    wanted = draft.lines[0].net.currency
    for path, amount, vat in _taxed(draft):
        if amount.currency != wanted:
            yield api.WrongCurrency(found=amount.currency, wanted=wanted, path=f"{path}.net.currency")
        if amount.minor < 0:
            yield api.WrongVat(why=f"{amount} is negative, and amounts are positive", path=f"{path}.net")
        if (vat.category == "S") != (vat.rate_ppm > 0):
            why = f"the VAT category {vat.category} has a rate of {vat.rate_ppm} parts per million"
            yield api.WrongVat(why=why, path=f"{path}.vat")
    categories = {vat.category for _, _, vat in _taxed(draft)}
    if "O" in categories and len(categories) > 1:
        yield api.WrongVat(why="what is not subject to VAT stands on an invoice of its own", path="$.lines")
    if categories != {"O"} and not sells.vat_id:
        yield api.WrongVat(why="who has no VAT number (invoicing.vat_id) charges none", path="$.lines")
    needing = next((one for one in NEEDS_VAT_ID if one in categories and not draft.buyer.vat_id), None)
    if needing:
        yield api.VatIdNeeded(category=needing)
    if (draft.corrects is None) != (draft.kind is api.InvoiceKind.INVOICE):
        yield api.UnknownInvoice(which="that a credit note corrects", path="$.corrects")
    if draft.paid is not None and draft.paid.currency != wanted:
        yield api.WrongCurrency(found=draft.paid.currency, wanted=wanted, path="$.paid.currency")


def _taxed(draft: api.InvoiceDraft) -> list[tuple[str, Money, api.Vat]]:
    lines = [(f"$.lines[{at}]", one.net, one.vat) for at, one in enumerate(draft.lines)]
    return lines + [(f"$.charges[{at}]", one.net, one.vat) for at, one in enumerate(draft.charges)]


def vat_totals(draft: api.InvoiceDraft, step: int = 1) -> tuple[api.VatTotal, ...]:
    """Return what is taxed alike: BT-116 the sum of net amounts, BT-117 that times the rate, rounded once."""
    sums: dict[tuple[str, int], int] = {}
    reasons: dict[tuple[str, int], list[api.Vat]] = {}
    for _, net, vat in _taxed(draft):
        key = (vat.category, vat.rate_ppm)
        sums[key] = sums.get(key, 0) + net.minor
        reasons.setdefault(key, []).append(vat)
    currency = draft.lines[0].net.currency
    return tuple(
        api.VatTotal(
            vat=_reasoned(reasons[key]),
            net=money(minor, currency),
            tax=money(rounded(Fraction(minor * key[1], PPM * step)) * step, currency),
        )
        for key, minor in sorted(sums.items())
    )


def _reasoned(alike: Sequence[api.Vat]) -> api.Vat:
    """Return how all that is taxed alike is taxed, with every reason that was given; a code where all have it."""
    first = alike[0]
    if first.category in ("S", "Z"):
        return first.replace(reason="", reason_code="")
    text, code = REASONS[first.category]
    said = sorted({one.reason for one in alike if one.reason})
    codes = {one.reason_code for one in alike}
    return first.replace(
        reason="; ".join(said)[:240] or text, reason_code=codes.pop() or code if len(codes) == 1 else code
    )


def totals(draft: api.InvoiceDraft, vat: Sequence[api.VatTotal], step: int = 1) -> api.Totals:
    """Return the sums of an invoice. Raises AmountsDiffer where more than rounding is missing."""
    currency = draft.lines[0].net.currency
    lines, charges = (sum(one.net.minor for one in part) for part in (draft.lines, draft.charges))
    tax = sum(one.tax.minor for one in vat)
    gross = lines + charges + tax
    paid = gross if draft.paid is None else draft.paid.minor
    most = ROUNDING_PER_LINE * (len(draft.lines) + len(draft.charges)) * step
    if abs(paid - gross) > most:
        raise api.AmountsDiffer(paid=money(paid, currency), gross=money(gross, currency), most=most)
    sums = (lines, charges, lines + charges, tax, gross, paid if draft.paid else 0, paid - gross)
    due = 0 if draft.paid else gross
    return api.Totals(
        **dict(
            zip(
                ("lines", "charges", "net", "tax", "gross", "paid", "rounding", "due"),
                (money(minor, currency) for minor in (*sums, due)),
                strict=True,
            )
        )
    )


def with_two_decimals(one: api.Invoice) -> api.Invoice:
    """Return an invoice as EN 16931 can say it: no amount has more than two decimals, and all rules hold for those.

    It knows no third decimal, which a fils has. The note says what was paid to the fils.
    """
    step = 10 ** max(0, decimals(one.currency) - DECIMALS)
    if step == 1:
        return one

    def near(amount: Money) -> Money:
        return money(rounded(Fraction(amount.minor, step)) * step, amount.currency)

    exact = one.totals.paid if one.totals.paid.minor else one.totals.gross
    said = one.replace(
        lines=tuple(line.replace(net=near(line.net)) for line in one.lines),
        charges=tuple(charge.replace(net=near(charge.net)) for charge in one.charges),
        paid=near(one.paid) if one.paid else None,
        note=f"{one.note} All of it comes to {exact}; amounts are rounded to two decimals.".strip(),
    )
    vat = vat_totals(said, step)
    return said.replace(vat_totals=vat, totals=totals(said, vat, step))
