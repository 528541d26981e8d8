"""Days that end before they begin are refused wherever books and invoices are asked for by days."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from isthmus.flows.closing import api as closing
from isthmus.flows.invoices import api as invoices
from isthmus.kernel import Value
from isthmus.kernel.host import check
from isthmus.packs.invoicing import api as invoicing
from isthmus.packs.ledger import api as ledger
from isthmus.values import Address, DaysBackwards

FIRST, LAST = date(2026, 5, 1), date(2026, 5, 31)
ADDRESS = Address(country="DE")


def asked(since: date, until: date) -> list[Value]:
    buyer = invoicing.Party(name="Ada", address=ADDRESS)
    return [
        ledger.GetTrialBalance(since=since, until=until),
        ledger.ExportJournal(since=since, until=until),
        closing.GetTaxReturn(since=since, until=until),
        invoices.IssueForPeriod(member_id=UUID(int=1), since=since, until=until, buyer=buyer),
    ]


@pytest.mark.parametrize("ask", asked(LAST, FIRST), ids=lambda ask: type(ask).__name__)
def test_days_that_end_before_they_begin_are_refused(ask: Value) -> None:
    with pytest.raises(DaysBackwards, match="2026-05-01 is before 2026-05-31") as refused:
        check(ask)
    assert refused.value.path == "$.until"


@pytest.mark.parametrize("ask", asked(FIRST, FIRST), ids=lambda ask: type(ask).__name__)
def test_one_day_is_enough(ask: Value) -> None:
    check(ask)
