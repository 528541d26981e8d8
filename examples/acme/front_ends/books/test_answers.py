"""The rules of Books, tested alone: no platform and no database is needed."""

from acme.packs.loyalty import api as loyalty

from front_ends.books import answers
from isthmus.kernel import PASS
from isthmus.packs.notification import api as notification


def test_a_book_of_twenty_five_euros_earns_two_stamps() -> None:
    assert answers.a_stamp_for_ten_euros(loyalty.Stamp(card="7", spent_minor=2_500, reference="r")) == 2


def test_a_postcard_earns_none() -> None:
    assert answers.a_stamp_for_ten_euros(loyalty.Stamp(card="7", spent_minor=120, reference="r")) == 0


def test_an_order_is_thanked_for_with_its_titles() -> None:
    items = (notification.Item(title="Emma", quantity=1), notification.Item(title="Persuasion", quantity=1))
    placed = notification.Draft(kind="order.placed", facts={"number": "B-1"}, items=items, text="Thank you.")
    said = answers.thanks_for_reading(placed)
    assert (said.subject, said.text) == ("Your order B-1", "Enjoy reading Emma, Persuasion.")
    assert answers.thanks_for_reading(notification.Draft(kind="order.paid", text="Paid.")) is PASS
