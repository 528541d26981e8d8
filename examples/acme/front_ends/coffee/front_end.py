"""What Coffee is, what it uses, and what it answers."""

from acme.products.clubprice import CLUBPRICE

from isthmus.kernel import FrontEnd

from . import answers

FRONT_END = FrontEnd(
    code="coffee",
    name="Coffee",
    owner="coffee",
    uses=(
        "after-sale.*",
        "catalog.*",
        "checkout.*",
        "fulfilment.*",
        "grants.*",
        "inventory.*",
        "loyalty.*",
        "member.*",
        "order.*",
        "payment.*",
        "pricing.*",
        "promotion.*",
        "shelf.*",
        "tax.*",
    ),
    products=(CLUBPRICE,),
    answers=(answers.opening_price, answers.own_search),
)
