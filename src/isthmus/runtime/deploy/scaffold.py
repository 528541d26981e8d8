"""Make the folder of a new front end: a manifest, one answer, its test, a README; it runs as it is."""

from __future__ import annotations

import re
from pathlib import Path

from isthmus.kernel import errors

_CODE = re.compile(r"[a-z][a-z0-9]{0,31}")

_FILES = {
    "__init__.py": '"""{title}: a front end of its own, owned by {owner}."""\n',
    "front_end.py": '''"""What {title} is, what it uses, and what it answers."""

from isthmus.kernel import FrontEnd

from . import answers

FRONT_END = FrontEnd(
    code="{name}",
    name="{title}",
    owner="{owner}",
    uses=(
        "after-sale.*",
        "catalog.*",
        "checkout.*",
        "fulfilment.*",
        "inventory.*",
        "member.*",
        "order.*",
        "payment.*",
        "pricing.*",
        "promotion.*",
        "tax.*",
    ),
    answers=(answers.opening_price,),
)
''',
    "answers.py": '''"""The rules of {title}: each answers one extension point, alone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from isthmus.kernel import answers
from isthmus.packs.pricing import api as pricing
from isthmus.values import Buyer

OPENING_PRICE = Fraction(90, 100)  # the first weeks cost a tenth less


@answers(pricing.adjust_unit_price)
def opening_price(lines: Sequence[pricing.ListedLine], buyer: Buyer) -> Sequence[pricing.UnitPrice]:
    """Sell everything a tenth cheaper while the shop is new."""
    return [
        pricing.UnitPrice(
            amount=line.amount.times(OPENING_PRICE), per=line.per, by="opening price", reason="the shop is new"
        )
        for line in lines
    ]
''',
    "test_answers.py": '''"""The rules of {title}, tested alone: no platform and no database is needed."""

from datetime import UTC, datetime

from front_ends.{package} import answers
from isthmus.packs.pricing import api as pricing
from isthmus.values import GUEST, money


def test_everything_costs_a_tenth_less_while_the_shop_is_new() -> None:
    listed = pricing.ListedLine(
        sku="tea",
        quantity=2,
        location="",
        price_list="standard",
        amount=money(1000, "EUR"),
        sale_amount=None,
        per=1,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_to=None,
        now=datetime(2026, 1, 2, tzinfo=UTC),
    )
    (price,) = answers.opening_price([listed], GUEST)
    assert price.amount == money(900, "EUR")
''',
    "README.md": """# {title}

A front end on the platform, owned by {owner}. Its rules are in `answers.py`, its manifest in `front_end.py`.

    pytest front_ends/{name}                      # its tests
    isthmus explain {name}                        # who answers each extension point
    isthmus serve                                 # serve it with all others
    isthmus client create {name}                  # a key to call with, in another terminal
""",
}


class FolderExists(errors.Conflict):
    """There is a folder of this name already."""

    slug = "runtime.folder-exists"


class WrongCode(errors.BadAsk):
    """This cannot be the code of a front end."""

    slug = "runtime.wrong-code"


def front_end(parent: Path, name: str, owner: str) -> Path:
    """Write the folder of a new front end below `parent` and return it.

    Raises WrongCode, FolderExists; an existing folder is left as it is.
    """
    if not _CODE.fullmatch(name):
        raise WrongCode(
            f"{name!r} cannot be a code", remedy="use 1 to 32 lower-case letters and digits, a letter first"
        )
    folder = parent / name
    if folder.exists():
        raise FolderExists(f"{folder} is already there", remedy="choose another name, or remove the folder")
    folder.mkdir(parents=True)
    title = name.title()
    for file, text in _FILES.items():
        (folder / file).write_text(text.format(name=name, package=name, title=title, owner=owner))
    return folder
