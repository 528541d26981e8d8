"""The fingerprint differs where anything that a front end reaches differs, and only there."""

import importlib
import os
import subprocess
import sys
import textwrap
import uuid

import pytest

from isthmus.kernel import Product, answers, combine, extension_point

from .world import KIND, a_front_end, a_release


@extension_point("shop.price", combine=combine.first_answer, dimensions=[KIND])
def price(number: int) -> int:
    """Say what it costs."""
    return 0


BASE = {
    "answers": """
        from decimal import Decimal
        from . import rules
        from .rules import Table, plain
        RATE = 5
        RATES = {"a": [1, {2, 3}], "b": (1, 2), "c": (1, 3)}
        EXACT = Decimal("1.5")

        def local(number):
            return number + RATE

        def cheap(number):
            return rules.cut(local(number)) + plain(number) + Table().best(number) + RATES["a"][0] * EXACT
    """,
    "rules": """
        LIMIT = 10

        def cut(number):
            return min(number, LIMIT)

        def plain(number, step=1):
            return number + step

        def unreached(number):
            return number

        class Table:
            size = 3
            def best(self, number):
                return number * self.size
    """,
}


@pytest.fixture
def fingerprint(tmp_path):
    def of(answers_text=BASE["answers"], rules_text=BASE["rules"], **more):
        name = f"front_end_{uuid.uuid4().hex}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "rules.py").write_text(textwrap.dedent(rules_text))
        (folder / "answers.py").write_text(textwrap.dedent(answers_text))
        sys.path.insert(0, str(tmp_path))
        importlib.invalidate_caches()
        try:
            function = importlib.import_module(f"{name}.answers").cheap
        finally:
            sys.path.remove(str(tmp_path))
        front_end = a_front_end("north", answers(price, **more)(function))
        return a_release([price], front_end).line("north").fingerprint

    return of


def test_the_same_code_has_the_same_fingerprint_wherever_it_lies(fingerprint):
    assert fingerprint() == fingerprint()


SETS = """
from isthmus.kernel import answers
from tests.kernel.test_fingerprint import price
from tests.kernel.world import a_front_end, a_release

CODES = {"de", "fr", "it", "es"}
GROUPS = {"north": {"ada", "bob", "cem"}}

@answers(price)
def cheap(number):
    return number + len(CODES) + len(GROUPS["north"]) + (str(number) in {"one", "two", "three"})

print(a_release([price], a_front_end("north", cheap)).line("north").fingerprint)
"""


def test_the_same_code_has_the_same_fingerprint_in_every_process_whatever_the_seed_of_its_hashes():
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    seeds = ({**known, "PYTHONHASHSEED": seed} for seed in ("1", "2", "3"))
    found = {
        subprocess.run([sys.executable, "-c", SETS], env=one, capture_output=True, check=True).stdout for one in seeds
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("answers", "RATE = 5", "RATE = 6"),
        ("answers", "{2, 3}", "{2, 4}"),
        ("answers", '"c": (1, 3)', '"c": (1, 4)'),
        ("answers", '"b": (', '"d": ('),
        ("answers", '"1.5"', '"1.6"'),
        ("answers", "number + RATE", "number - RATE"),
        ("answers", 'RATES["a"][0]', 'RATES["a"][1]'),
        ("rules", "LIMIT = 10", "LIMIT = 11"),
        ("rules", "min(", "max("),
        ("rules", "step=1", "step=2"),
        ("rules", "size = 3", "size = 4"),
        ("rules", "number * self", "number + self"),
    ],
)
def test_a_change_of_anything_that_an_answer_reaches_shows(fingerprint, part, old, new):
    changed = {**BASE, part: BASE[part].replace(old, new)}
    assert changed != BASE
    assert fingerprint() != fingerprint(changed["answers"], changed["rules"])


def test_a_change_of_what_no_answer_reaches_does_not_show(fingerprint):
    assert fingerprint() == fingerprint(rules_text=BASE["rules"].replace("return number\n", "return number + 1\n"))
    assert fingerprint() == fingerprint(BASE["answers"].replace("RATE = 5", "RATE = 5  # five"))


def test_conditions_predicates_and_stages_show(fingerprint):
    prints = [fingerprint(), fingerprint(when={"kind": "gift"}), fingerprint(when={"kind": ["gift", "presale"]})]
    prints += [fingerprint(applies=lambda number: number > 1), fingerprint(applies=lambda number: number > 2)]
    assert len(set(prints)) == 5


def test_two_closures_of_one_function_differ():
    def makes(value):
        def cheap(number):
            return value

        return answers(price)(cheap)

    def of(value):
        return a_release([price], a_front_end("north", makes(value))).line("north").fingerprint

    assert of(1) == of(1) != of(2)


def test_children_settings_and_products_show():
    def of(**more):
        return a_release([price], a_front_end("north", **more)).line("north").fingerprint

    def makes(value, name="cheap"):
        def cheap(number):
            return value

        cheap.__name__ = name
        return answers(price)(cheap)

    def child(*given):
        return (a_front_end("north.gifts", *given, when={"kind": "gift"}, uses=()),)

    def product(value):
        return (Product(name="p", doc="", owner="", answers=(makes(value),)),)

    prints = [of(), of(settings={"a": "1"}), of(settings={"a": "2"}), of(children=child(makes(1)))]
    prints += [of(children=child(makes(2))), of(children=child()), of(products=product(1)), of(products=product(2))]
    assert len(set(prints)) == len(prints)
    passing, other = makes(1, "one"), makes(2, "two")
    orders = [[passing, other], [other, passing]]

    def ordered(order):
        products = (Product(name="p", doc="", owner="", answers=(passing, other)),)
        return of(products=products, order={price: order})

    assert ordered(orders[0]) == ordered(orders[0]) != ordered(orders[1])


def test_a_changed_default_shows_for_everybody():
    def of(value):
        def default(number: int) -> int:
            """Say what it costs."""
            return value

        point = extension_point("shop.price", combine=combine.first_answer)(default)
        return a_release([point], a_front_end("north")).line("north").fingerprint

    assert of(1) == of(1) != of(2)
