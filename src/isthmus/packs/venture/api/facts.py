"""What was observed of a venture: findings of its checks, what it sold, and where it stands."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from isthmus.kernel import Effect, Meta, Value, capability
from isthmus.values import Moment, Money

from .charter import Charter, ObligationName
from .errors import NoCharter, WrongCharter
from .joining import Left


class FindingDraft(Value):
    """What a check saw of one obligation. remedy: how to fix it, where it is not met."""

    obligation: ObligationName
    is_met: bool
    said: Annotated[str, Meta(min_length=1, max_length=1_000)]
    remedy: Annotated[str, Meta(max_length=1_000)] = ""


class Finding(FindingDraft):
    """What was seen, when, and since when it is so."""

    at: Moment
    since: Moment


class NoteFindings(Value):
    """Keep what a check saw."""

    items: Annotated[tuple[FindingDraft, ...], Meta(min_length=1, max_length=20)]


class Noted(Value):
    """What is known of each obligation now."""

    items: tuple[Finding, ...]


class Sum(Value):
    """What was sold in one currency, less what went back; and what its books say that it spent."""

    sales: int
    net: Money
    tax: Money
    booked: Money  # net, as the books of the venture have it
    spent: Money  # its expenses


class GetStanding(Value):
    """Ask where a venture stands."""


class Standing(Value):
    """A venture: its charter, what is known of its obligations, and what it sold, all as it was observed."""

    charter: Charter
    is_lapsed: bool
    findings: tuple[Finding, ...]
    sums: tuple[Sum, ...]
    sales: int
    members: int
    first_sale_at: Moment | None
    taken_at: Moment | None
    to_forget: int
    left_on: date | None
    left_by: Left | None
    kill_on: date | None  # the day from which its kill criterion holds; none while it does not

    @property
    def spent(self) -> Money:
        """Return what was spent of the budget, in its currency."""
        budget = self.charter.money
        return next((one.spent for one in self.sums if one.spent.currency == budget.currency), budget.times(0))

    @property
    def is_met(self) -> bool:
        """Say whether all four obligations are met."""
        return len(self.findings) == 4 and all(one.is_met for one in self.findings)


class ListDisagreements(Value):
    """Ask where sales and books of a venture differ."""


class Disagreement(Value):
    """A sale that the books do not have as it was told: net and tax of both, in minor units."""

    sale_id: str
    currency: str
    sold_net: int
    sold_tax: int
    booked_net: int
    booked_tax: int


class Disagreements(Value):
    """The first of them, and how many agree."""

    items: tuple[Disagreement, ...]
    agreeing: int


@capability("venture.note-findings", version="1.0", effect=Effect.WRITE, is_internal=True)
def note_findings(ask: NoteFindings) -> Noted:
    """Keep what a check of a venture saw; every change of it stays readable."""
    ...


@capability("venture.get-standing", version="1.0", effect=Effect.READ, raises=[NoCharter, WrongCharter])
def get_standing(ask: GetStanding) -> Standing:
    """Return where the venture of this front end stands."""
    ...


@capability("venture.list-disagreements", version="1.0", effect=Effect.READ)
def list_disagreements(ask: ListDisagreements) -> Disagreements:
    """Return sales that the venture's books have otherwise, or not at all."""
    ...
