"""Tax, decided: which rates fall on a line, and amounts that add up to the minor unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from isthmus import places
from isthmus.values import Address, Money, Rounding, allocated, money, rounded

from . import api

DELIVERY = "delivery"

RateKey = tuple[str, int, str]  # name, rate, jurisdiction


@dataclass(frozen=True, slots=True)
class Rated:
    """An amount with the rates that fall on it."""

    line: api.TaxLine
    rates: tuple[api.ChosenRate, ...]
    exempt_because: str = ""


def chain(jurisdiction: str) -> tuple[str, ...]:
    """Return a jurisdiction and all that it lies in, the narrowest first; a province lies in its region."""
    country, *parts = jurisdiction.split("-")
    finer = ["-".join((country, *parts[:length])) for length in range(len(parts), 1, -1)]
    regions = places.within(country, parts[0]) if parts else ()
    return (*finer, *(f"{country}-{region}" for region in regions), country)


def is_understood(jurisdiction: str) -> bool:
    """Say whether a jurisdiction names a region that its country has; of what is no country nothing is known."""
    country, *parts = jurisdiction.split("-")
    known = places.regions(country)
    return not parts or not known or parts[0] in known


def by_category(
    categories: Sequence[str], entries: Sequence[api.RateEntry], scope: Sequence[str]
) -> Mapping[str, tuple[api.ChosenRate, ...]]:
    """Choose the rates of each category once, however many lines have it."""
    return {category: rates_for(category, entries, scope) for category in dict.fromkeys(categories)}


def rates_for(category: str, entries: Sequence[api.RateEntry], scope: Sequence[str]) -> tuple[api.ChosenRate, ...]:
    """Choose of each tax the rate of the narrowest jurisdiction, of the category itself first, then the latest."""
    best: dict[str, api.RateEntry] = {}
    for entry in entries:
        if entry.tax_category in ("", category):
            known = best.get(entry.name)
            if known is None or _precedence(entry, scope) > _precedence(known, scope):
                best[entry.name] = entry
    return tuple(
        api.ChosenRate(name=entry.name, rate_ppm=entry.rate_ppm, jurisdiction=entry.jurisdiction)
        for entry in sorted(best.values(), key=lambda entry: entry.name)
    )


def taxed(rated: Sequence[Rated], place: api.Jurisdiction) -> tuple[api.TaxedLine, ...]:
    """Calculate every line, rounded as the jurisdiction says."""
    exact = [_exact_taxes(one, place.prices_include_tax) for one in rated]
    if place.rounded_per == "line":
        taxes = [[rounded(tax, place.rounding) for tax in line] for line in exact]
    else:
        taxes = _rounded_per_rate(rated, exact, place.rounding)
    return tuple(_taxed_line(one, line, place.prices_include_tax) for one, line in zip(rated, taxes, strict=True))


def assessment(
    lines: Sequence[api.TaxLine],
    is_exempt: Sequence[bool],
    place: api.Jurisdiction,
    code: str,
    destination: Address | None,
) -> api.Assessment:
    """Return what a tax service is asked: the facts that its answer depends on, and nobody's name."""
    nameless = destination and Address(
        country=destination.country,
        region=destination.region,
        city=destination.city,
        postcode=destination.postcode,
        street=destination.street,
    )
    return api.Assessment(
        jurisdiction=code,
        currency=lines[0].amount.currency,
        prices_include_tax=place.prices_include_tax,
        lines=tuple(
            api.AssessmentLine(
                sku=line.sku,
                quantity=line.quantity,
                tax_category=line.tax_category,
                amount_minor=line.amount.minor,
                is_exempt=exempt,
            )
            for line, exempt in zip(lines, is_exempt, strict=True)
        ),
        destination=nameless,
    )


def rates_of(said: api.LineAssessment) -> tuple[api.ChosenRate, ...]:
    """Return the rates that a service named for a line."""
    return tuple(
        api.ChosenRate(name=one.name, rate_ppm=one.rate_ppm, jurisdiction=one.jurisdiction) for one in said.taxes
    )


def assessed(
    rated: Sequence[Rated], said: Sequence[api.LineAssessment], place: api.Jurisdiction
) -> tuple[api.TaxedLine, ...]:
    """Return every line with the taxes that a service said, to the minor unit; an exempt line bears none."""
    return tuple(
        _taxed_line(one, [tax.tax_minor for tax in found.taxes[: len(one.rates)]], place.prices_include_tax)
        for one, found in zip(rated, said, strict=True)
    )


def summary(lines: Sequence[api.TaxedLine], currency: str) -> tuple[api.RateSummary, ...]:
    """Add up all lines per rate, in the order of names."""
    sums: dict[RateKey, tuple[int, int]] = {}
    for line in lines:
        for rate in line.rates:
            key = (rate.name, rate.rate_ppm, rate.jurisdiction)
            net, tax = sums.get(key, (0, 0))
            sums[key] = (net + line.net.minor, tax + rate.tax.minor)
    return tuple(
        api.RateSummary(
            name=name, rate_ppm=rate, jurisdiction=where, net=money(net, currency), tax=money(tax, currency)
        )
        for (name, rate, where), (net, tax) in sorted(sums.items())
    )


def rate_faults(rates: Sequence[api.RateEntry]) -> Iterator[dict[str, str]]:
    """Yield what is wrong with rates, each with its path."""
    seen: dict[tuple[object, ...], int] = {}
    for place, rate in enumerate(rates):
        first = seen.setdefault((rate.jurisdiction, rate.name, rate.tax_category, rate.valid_from), place)
        if first != place:
            yield {"path": f"$.rates[{place}]", "reason": f"$.rates[{first}] has the same key"}
        if rate.valid_to is not None and rate.valid_to <= rate.valid_from:
            yield {"path": f"$.rates[{place}].valid_to", "reason": "it ends before it begins"}


def _precedence(entry: api.RateEntry, scope: Sequence[str]) -> tuple[object, ...]:
    return (-scope.index(entry.jurisdiction), entry.tax_category != "", entry.valid_from)


def _exact_taxes(rated: Rated, is_included: bool) -> list[Fraction]:
    """Return each tax exactly: on the net amount, which is the amount itself or what is left of it without tax."""
    all_ppm = sum(rate.rate_ppm for rate in rated.rates)
    whole = api.PPM + all_ppm if is_included else api.PPM
    return [Fraction(rated.line.amount.minor * rate.rate_ppm, whole) for rate in rated.rates]


def _rounded_per_rate(
    rated: Sequence[Rated], exact: Sequence[Sequence[Fraction]], rounding: Rounding
) -> list[list[int]]:
    """Round the sum of each tax once, and share it out in proportion to what is exactly due on each line."""
    places: dict[RateKey, list[tuple[int, int]]] = {}
    for line, one in enumerate(rated):
        for number, rate in enumerate(one.rates):
            places.setdefault((rate.name, rate.rate_ppm, rate.jurisdiction), []).append((line, number))
    taxes = [[0] * len(line) for line in exact]
    for due in places.values():
        parts = [exact[line][number] for line, number in due]
        shares = _shared(rounded(sum(parts, Fraction(0)), rounding), parts)
        for (line, number), share in zip(due, shares, strict=True):
            taxes[line][number] = share
    return taxes


def _shared(total: int, parts: Sequence[Fraction]) -> tuple[int, ...]:
    scale = lcm(*(part.denominator for part in parts))
    return allocated(total, [int(part * scale) for part in parts])


def _taxed_line(rated: Rated, taxes: Sequence[int], is_included: bool) -> api.TaxedLine:
    amount = rated.line.amount
    tax = money(sum(taxes), amount.currency)
    net, gross = (amount - tax, amount) if is_included else (amount, amount + tax)
    return api.TaxedLine(
        sku=rated.line.sku,
        tax_category=rated.line.tax_category,
        net=net,
        tax=tax,
        gross=gross,
        rates=tuple(_line_tax(rate, part, amount) for rate, part in zip(rated.rates, taxes, strict=True)),
        exempt_because=rated.exempt_because,
    )


def _line_tax(rate: api.ChosenRate, minor: int, amount: Money) -> api.LineTax:
    return api.LineTax(
        name=rate.name,
        rate_ppm=rate.rate_ppm,
        jurisdiction=rate.jurisdiction,
        tax=money(minor, amount.currency),
    )
