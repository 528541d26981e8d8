"""The rules of Books: each answers one extension point, alone."""

from __future__ import annotations

from acme.packs.loyalty import api as loyalty

from isthmus.kernel import answers

STAMP_EVERY_MINOR = 1_000


@answers(loyalty.stamps_for)
def a_stamp_for_ten_euros(ask: loyalty.Stamp) -> int:
    """Give a stamp for each ten euros: books cost more than coffee."""
    return ask.spent_minor // STAMP_EVERY_MINOR
