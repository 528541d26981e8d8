"""What Books is, what it uses, and what it answers."""

from acme.products.clubprice import CLUBPRICE

from isthmus.kernel import FrontEnd

from . import answers

FRONT_END = FrontEnd(
    code="books",
    name="Books",
    owner="books",
    uses=(
        "after-sale.*",
        "catalog.*",
        "checkout.*",
        "fulfilment.*",
        "grants.*",
        "inventory.*",
        "loyalty.*",
        "member.*",
        "messages.*",
        "notification.*",
        "order.*",
        "payment.*",
        "pricing.*",
        "promotion.*",
        "tax.*",
    ),
    products=(CLUBPRICE,),
    answers=(answers.a_stamp_for_ten_euros, answers.thanks_for_reading),
)
