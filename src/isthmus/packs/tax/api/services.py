"""Tax services: the contract that one has to keep, and how their answers are kept.

A service is asked outside of any transaction, under a key that follows from the ask, and its answer is written down.
So whoever calculates the same tax for a while gets the same answer, a replay too, and nobody waits for a service while
rows are locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Protocol

from isthmus.kernel import Effect, Meta, Value, capability, errors
from isthmus.kernel.host import check
from isthmus.manifest import Place
from isthmus.store import Database, KeptAnswers
from isthmus.values import LINES_MAX, Address, CurrencyCode, Minor


class AssessmentLine(Value):
    """What is paid for one line after discounts; delivery is the last, without a SKU. An exempt one is for the sums."""

    sku: str
    quantity: int
    tax_category: str
    amount_minor: Minor
    is_exempt: bool = False


class Assessment(Value):
    """What a tax service is asked: what is due on these lines, which include tax or come without."""

    jurisdiction: str
    currency: CurrencyCode
    prices_include_tax: bool
    lines: Annotated[tuple[AssessmentLine, ...], Meta(min_length=1, max_length=LINES_MAX + 1)]
    destination: Address | None = None


class AssessedTax(Value):
    """One tax on one line, to the minor unit."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    rate_ppm: Annotated[int, Meta(ge=0, le=10_000_000)]
    jurisdiction: str
    tax_minor: Annotated[int, Meta(ge=0, le=10**15)]


class LineAssessment(Value):
    """The taxes on one line; none: it bears none."""

    taxes: tuple[AssessedTax, ...] = ()


class ForgetAssessments(Value):
    """Forget what services said long ago."""


class AssessmentsForgotten(Value):
    """How many answers are forgotten."""

    assessments: int


class TaxService(Protocol):
    """Says what tax is due. One that raises, or does not answer in time, has not answered."""

    name: str

    def covers(self, jurisdiction: str) -> bool:
        """Say whether it is to be asked for a jurisdiction, `US` or `US-OH`."""
        ...

    async def assess(self, *, key: str, ask: Assessment) -> Sequence[LineAssessment]:
        """Return the taxes of each line, in the order of the ask; the same key is the same ask."""
        ...


class TaxSettings(Value):
    """`[settings.tax]`, for where a tax service is chosen.

    fallback: what counts where it has not answered: `refuse`, or the platform's `own-rates`. valid_s: for how long an
    answer counts. kept_days: for how long it is kept, so that a replay finds it.
    """

    fallback: Literal["refuse", "own-rates"] = "refuse"
    valid_s: Annotated[int, Meta(ge=60, le=86_400)] = 3_600
    kept_days: Annotated[int, Meta(ge=1, le=3650)] = 90


class TaxServices:
    """The services that are connected, and the answers that they gave."""

    def __init__(
        self, services: Iterable[TaxService], database: Database | None = None, settings: TaxSettings = TaxSettings()
    ) -> None:
        self.services = tuple(sorted(services, key=lambda one: one.name))
        self.is_strict = settings.fallback == "refuse"
        self.answers = database and KeptAnswers(
            database=database, table="tax.assessment", valid_s=settings.valid_s, kept_days=settings.kept_days
        )

    def covering(self, jurisdiction: str) -> TaxService | None:
        """Return who is asked for a jurisdiction: the first by name."""
        return next((one for one in self.services if one.covers(jurisdiction)), None)


OWN_RATES_ONLY = TaxServices(())


def fitting(ask: Assessment, said: Sequence[LineAssessment]) -> None:
    """Raise BadAsk where an answer cannot be one to this ask."""
    if len(said) != len(ask.lines):
        raise errors.BadAsk(f"{len(said)} lines came for {len(ask.lines)}", remedy="answer each line, in its order")
    for at, (line, found) in enumerate(zip(ask.lines, said, strict=True)):
        check(found, f"$.lines[{at}]")
        if ask.prices_include_tax and sum(one.tax_minor for one in found.taxes) > line.amount_minor:
            raise errors.BadAsk("more tax than is paid", remedy="take it out of the amount", path=f"$.lines[{at}]")


@capability("tax.forget-assessments", version="1.0", effect=Effect.WRITE)
def forget_assessments(ask: ForgetAssessments) -> AssessmentsForgotten:
    """Forget answers of tax services that are older than `[settings.tax] kept_days`; the platform does so by itself."""
    ...


def connected(place: Place) -> TaxServices:
    """Connect the services that the settings chose."""
    return TaxServices(place.providers.values(), place.database, place.settings)
