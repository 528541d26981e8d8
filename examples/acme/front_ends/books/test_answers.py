"""The rules of Books, tested alone: no platform and no database is needed."""

from acme.packs.loyalty import api as loyalty

from front_ends.books import answers


def test_a_book_of_twenty_five_euros_earns_two_stamps() -> None:
    assert answers.a_stamp_for_ten_euros(loyalty.Stamp(card="7", spent_minor=2_500, reference="r")) == 2


def test_a_postcard_earns_none() -> None:
    assert answers.a_stamp_for_ten_euros(loyalty.Stamp(card="7", spent_minor=120, reference="r")) == 0
