"""What tax refuses. Named through `tax.api`."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import errors
from isthmus.values import Money


class UnknownJurisdiction(errors.NotFound):
    """The front end charges tax, but says nothing of this jurisdiction or one that it lies in."""

    slug = "tax.unknown-jurisdiction"

    def __init__(self, *, code: str, path: str) -> None:
        super().__init__(
            f"no tax is configured for {code}, nor for what it lies in",
            remedy="add it with tax.put-jurisdictions and its rates with tax.put-rates",
            path=path,
            jurisdiction=code,
        )


class RegionNeeded(errors.BadAsk):
    """The tax depends on the region within the country, and the address has none."""

    slug = "tax.region-needed"

    def __init__(self, *, country: str) -> None:
        super().__init__(
            f"the tax in {country} depends on the region, and the address has none",
            remedy="send the region of the address, by its code or its name",
            path="$.address.region",
            country=country,
        )


class NoRate(errors.NotFound):
    """Lines of the ask have a category that no rate is in force for."""

    slug = "tax.no-rate"

    def __init__(self, *, lines: Sequence[dict[str, str]], jurisdiction: str) -> None:
        super().__init__(
            f"no rate is in force in {jurisdiction} for {lines[0]['reason']}, and {len(lines)} line(s) need one",
            remedy="put it with tax.put-rates; a rate of 0 says that a category is free of tax",
            path=lines[0]["path"],
            lines=list(lines),
        )


class NotAssessed(errors.Unavailable):
    """A tax service says what is due here, and has not been asked, or does not answer."""

    slug = "tax.not-assessed"

    def __init__(self, *, jurisdiction: str, service: str, why: str) -> None:
        super().__init__(
            f"{service!r} says what tax is due in {jurisdiction}, and {why}",
            remedy="preview the order with the same lines and address, which asks it, and send this again",
            path="$.jurisdiction",
            jurisdiction=jurisdiction,
        )


class NegativeAmount(errors.BadAsk):
    """Tax is calculated on what is sold: for a refund, take the share of the tax that was charged."""

    slug = "tax.negative-amount"

    def __init__(self, *, amount: Money, path: str) -> None:
        super().__init__(
            f"an amount of {amount} is below zero",
            remedy="calculate on what was sold, and refund a share of that tax",
            path=path,
        )


class RateRefused(errors.RuleBroken):
    """Rates contradict themselves or each other; none was put."""

    slug = "tax.rate-refused"

    def __init__(self, *, lines: Sequence[dict[str, str]]) -> None:
        super().__init__(
            f"{len(lines)} rate(s) refused, the first because {lines[0]['reason']}",
            remedy="correct what `lines` names and put all again",
            path=lines[0]["path"],
            lines=list(lines),
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "tax.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list",
            remedy="send next_cursor of the page before, or none to begin",
            path="$.cursor",
        )
