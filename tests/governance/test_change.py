"""A seam and a lift are written as a person would, only where a rule can tell how, and proved by what calls said."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
import pytest

from isthmus.governance.thin.change import parts
from isthmus.governance.thin.change.branches import branch_at, turned_round
from isthmus.governance.thin.change.code import ByHand, Question, Source, ask_at
from isthmus.governance.thin.change.lift import lift
from isthmus.governance.thin.change.seam import Change, seam
from isthmus.governance.thin.change.seen import Example, Seen
from isthmus.governance.thin.change.sink import reuse, sink
from isthmus.governance.thin.change.words import Ref, Words, of_type, of_value
from isthmus.kernel import FrontEnd, Pack, Registry, answers, errors
from isthmus.kernel.host import Answer
from isthmus.runtime.deploy.loading import PACKAGE, content_hash, load_front_end
from isthmus.values import money

NUMBERS = itertools.count()

API = '''
"""Till, as others may name it."""

from isthmus.kernel import Effect, Value, capability, combine, extension_point
from isthmus.values import Money


class Buy(Value):
    """Ask what a basket costs."""

    goods: str
    minor: int


class Total(Value):
    """What it costs."""

    minor: int


@extension_point("till.greet", combine=combine.first_answer)
def greet(name: str) -> str:
    """Greet a buyer."""
    return name


@capability("till.total", version="1.0", effect=Effect.READ)
def total(ask: Buy) -> Total:
    """Say what a basket costs."""
    ...
'''
RULES = '''
"""What a basket costs, decided."""

from __future__ import annotations

from . import api

AGE = 18  # years
KNOT = 3


def summed(ask: api.Buy) -> api.Total:
    """Return the total."""
    minor = ask.minor
    if ask.goods == "wine":  # whoever buys wine is old enough
        minor += AGE
    if ask.goods == "tea":
        return api.Total(minor=0)
    if ask.goods == "rum":
        minor = doubled(minor)
    if ask.goods == "ale":
        minor, tax = 1, 2
    if ask.goods == "mead":
        minor = 7
    else:
        minor += 0
    return api.Total(minor=minor)


def doubled(minor: int) -> int:
    return minor * 2


def labelled(ask: api.Buy) -> str:
    """Return a label."""
    size = ask.goods
    width = 40 if ask.goods == "poster" else len(size)

    # a parcel is tied
    if ask.minor > 900:
        knot = KNOT
    else:
        knot = 2
    if ask.goods == "kite":
        tail = 1
    elif ask.goods == "string":
        tail = 9
    return size.ljust(width + knot + tail)


def fee(ask: api.Buy) -> int:
    """Return the fee."""
    if ask.goods == "stamp":
        return 5
    return 0


def rate(ask: api.Buy) -> int:
    """Return the rate."""
    return 7 if ask.goods == "coin" else 8
'''
SERVICE = '''
"""The service of till."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from . import api, rules


@implements(api.total)
async def add_up(ask: api.Buy, ctx: Context) -> api.Total:
    minor = ask.minor
    if ctx.front_end == "west":
        minor = minor - 1
    if ctx.caller.client:
        minor = ctx.now.year
    found = rules.summed(ask)
    rules.labelled(ask), rules.fee(ask), rules.rate(ask)
    for place, (goods, count) in enumerate([(ask.goods, 1)]):
        if goods == "cider" and place < count:
            minor -= count
    return api.Total(minor=found.minor + minor)
'''
ANSWERS = '''
"""The rules of north."""

from isthmus.kernel import PASS, Pass, answers

HUNDRED = 100
'''
MANIFEST = '''
"""What north is."""

from isthmus.kernel import FrontEnd

from . import answers

FRONT_END = FrontEnd(code="north", name="North", owner="north", uses=("till.*",))
'''


@dataclass(frozen=True)
class Company:
    root: Path
    name: str
    pack: Pack
    north: Path

    def file(self, name: str) -> Path:
        return self.root / self.name / "till" / name

    def line(self, name: str, text: str) -> int:
        return next(at for at, line in enumerate(self.file(name).read_text().splitlines(), 1) if text in line)

    def seam(self, answer: str) -> Change:
        with (self.north / "answers.py").open("a") as file:
            file.write(answer)
        load_front_end(self.north)
        (found,) = parts.unasked(f"{PACKAGE}north_{content_hash(self.north)[:12]}")
        return seam(found, "north", self.north, {"till": self.pack}, self.root)

    def lift(self, name: str, text: str, seen: Seen, *, holds: bool = True) -> Change:
        branch = branch_at(self.file(name), self.line(name, text), holds=holds)
        return lift(branch, seen, "north", self.north, self.pack, self.root)


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    name = f"company_{next(NUMBERS)}"
    folder, north = tmp_path / name / "till", tmp_path / "front_ends" / "north"
    for made in (folder, north):
        made.mkdir(parents=True)
    for path in (folder.parent, folder, north.parent, north):
        (path / "__init__.py").write_text("")
    for path, text in {folder / "api.py": API, folder / "rules.py": RULES, folder / "service.py": SERVICE}.items():
        path.write_text(text.lstrip())
    (north / "answers.py").write_text(ANSWERS.lstrip())
    (north / "front_end.py").write_text(MANIFEST.lstrip())
    monkeypatch.syspath_prepend(str(tmp_path))
    api, service = (importlib.import_module(f"{name}.till.{one}") for one in ("api", "service"))
    yield Company(tmp_path, name, Pack(name="till", owner="till", api=api, service=(service,)), north)
    for module in [one for one in sys.modules if one.startswith((name, f"{PACKAGE}north"))]:
        del sys.modules[module]


def added(change: Mapping[Path, str], name: str) -> list[str]:
    """Return the lines of a file that a change adds."""
    ((path, text),) = [(path, text) for path, text in change.items() if path.name == name]
    before = path.read_text().splitlines() if path.exists() else []
    return [line for line in text.splitlines() if line not in before]


SEAM = '''
@answers("till.round-minor", at="till.{at}")
def in_hundreds({first}: int, ask: object) -> int:
    """Round to hundreds."""
    return {first} // HUNDRED * HUNDRED
'''


def test_a_seam_asks_where_there_is_a_context(company: Company):
    change = company.seam(SEAM.format(at="add-up", first="minor"))
    assert added(change.platform, "service.py") == ["    minor = ctx.answer(api.round_minor)(minor, ask)"]
    assert added(change.platform, "api.py") == [
        '@extension_point("till.round-minor", combine=combine.first_answer)',
        "def round_minor(minor: int, ask: object) -> int:",
        '    """Replace the minor in `till.add-up`. Default: it stays as it is."""',
        "    return minor",
    ]
    assert added(change.front_end, "answers.py") == [
        f"from {company.name}.till import api as till",
        "@answers(till.round_minor)",
    ]
    assert "answers.in_hundreds" in "".join(added(change.front_end, "front_end.py"))


def test_a_seam_in_a_pure_function_is_handed_down_by_who_calls_it(company: Company):
    change = company.seam(SEAM.format(at="summed", first="minor"))
    assert added(change.platform, "rules.py") == [
        "from collections.abc import Callable",
        "def summed(ask: api.Buy, round_minor: Callable[[int, object], int] = api.round_minor) -> api.Total:",
        "    minor = round_minor(minor, ask)",
    ]
    assert added(change.platform, "service.py") == [
        "    found = rules.summed(ask, round_minor=ctx.answer(api.round_minor))"
    ]


def test_a_question_is_listed_where_the_others_are_and_asked_where_its_value_is_returned():
    word = Words(text="str")
    question = Question(name="till.shorten-text", parameters={"text": word}, returns=word, doc="Replace the text.")
    door = "from .notes import (\n    PutNote,\n    put_note,\n)\nfrom .words import Word\n"
    text = "def worded(ask, ctx):\n    text = ask.text\n    return text\n"
    api, notes, rules = (
        Source(Path("till/api/__init__.py"), "acme.till.api", door),
        Source(Path("till/api/notes.py"), "acme.till.api.notes", '@extension_point("till.a")\ndef a(): ...\n'),
        Source(Path("till/rules.py"), "acme.till.rules", text),
    )
    parts.declare([api, notes, rules], "acme.till", question)
    assert api.text() == door.replace("    put_note,\n", "    put_note,\n    shorten_text,\n")
    assert "def shorten_text(text: str) -> str:" in notes.text()
    ask_at([rules], "worded", question, "acme.till")
    assert rules.text().endswith("    text = ask.text\n    return ctx.answer(api.shorten_text)(text)\n")


def test_a_part_of_a_door_imports_from_its_neighbours_and_not_from_the_door():
    ref = Ref(module="isthmus.packs.pricing.api", name="ListedLine")  # the door imports prices and sharing
    for name, imported in (("prices", ""), ("sharing", "from .prices import ListedLine\n")):
        part = Source(Path(f"pricing/api/{name}.py"), f"isthmus.packs.pricing.api.{name}", "A = 1\n")
        assert part.reach(ref) == "ListedLine"
        assert part.text().replace("\n\n", "\n") == f"{imported}A = 1\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (SEAM.format(at="add-up", first="price"), "has no value 'price'"),
        (SEAM.format(at="nowhere", first="minor"), "is in no module of the pack"),
        (SEAM.format(at="add-up", first="minor").replace("-> int", "-> int | Pass"), "may say PASS"),
        (SEAM.format(at="add-up", first="minor").replace("ask: object", "ask"), "says no type of ask"),
    ],
)
def test_a_seam_that_no_rule_can_make_is_refused_with_what_to_do(company: Company, answer: str, said: str):
    with pytest.raises(ByHand, match=said):
        company.seam(answer)


def test_an_answer_that_waits_for_its_question_is_refused_with_the_command():
    wanted = answers("till.round", at="till.total")(lambda minor: minor)
    north = FrontEnd(code="north", name="north", owner="north", answers=(wanted,))
    with pytest.raises(errors.BuildProblems, match="nobody asks; `isthmus seam north` lets it be asked"):
        Registry().add(north).freeze()


WINE = Example(before={"minor": of_value(5), "ask": of_value(money(5, "EUR"))}, after={"minor": of_value(23)})


def test_a_branch_of_one_front_end_becomes_its_answer(company: Company):
    change = company.lift("rules.py", '"wine"', Seen(types={"minor": of_type([5])}, examples={"north": (WINE,)}))
    assert added(change.platform, "rules.py") == [
        "from collections.abc import Callable",
        "def summed(ask: api.Buy, adjust_minor: Callable[[int, api.Buy], int] = api.adjust_minor) -> api.Total:",
        "    minor = adjust_minor(minor, ask)",
    ]
    rules = next(text for path, text in change.platform.items() if path.name == "rules.py")
    assert "wine" not in rules
    assert "AGE" not in rules, "what nobody names any more goes along"
    assert added(change.front_end, "answers.py") == [
        f"from {company.name}.till import api as till",
        "AGE = 18  # years",
        "@answers(till.adjust_minor)",
        "def own_minor(minor: int, ask: till.Buy) -> int:",
        '    """Whoever buys wine is old enough."""',
        '    if ask.goods == "wine":',
        "        minor += AGE",
        "    return minor",
    ]
    assert '    assert own_minor(5, Money(currency="EUR", minor=5)) == 23' in added(
        change.front_end, "test_own_minor.py"
    )


def test_where_the_platform_names_the_front_end_the_answer_need_not(company: Company):
    change = company.lift("service.py", '"west"', Seen(types={"minor": of_type([5])}, examples={}))
    assert added(change.platform, "service.py") == ["    minor = ctx.answer(api.adjust_minor)(minor)"]
    assert added(change.front_end, "answers.py")[-2:] == [
        '    """Change the minor as the platform did for this front end alone."""',
        "    return minor - 1",
    ]


NUMBERS_SEEN = Seen(types={one: of_type([5]) for one in ("width", "knot", "tail")}, examples={})


@pytest.mark.parametrize(
    ("text", "holds", "asked", "gone", "answer"),
    [
        (
            '"poster" else', True, "    width = adjust_width(len(size), ask)", '"poster"',
            ['    if ask.goods == "poster":', "        return 40", "    return width"],
        ),
        (
            "if ask.minor > 900", True, "    knot = adjust_knot(2, ask)", "else:\n        knot",
            ['    """A parcel is tied."""', "    if ask.minor > 900:", "        return KNOT", "    return knot"],
        ),
        (
            "if ask.minor > 900", False, "    knot = adjust_knot(KNOT, ask)", "knot = 2",
            ["    if ask.minor <= 900:", "        return 2", "    return knot"],
        ),
        (
            'elif ask.goods == "string"', True, "        tail = adjust_tail(tail, ask)", '"string"',
            ['    if ask.goods == "string":', "        return 9", "    return tail"],
        ),
        (
            '"stamp"', True, "    return adjust_fee(0, ask)", "return 5",
            ['    if ask.goods == "stamp":', "        return 5", "    return fee"],
        ),
        (
            '"coin"', False, "    return adjust_rate(7, ask)", "8",
            ['    if ask.goods != "coin":', "        return 8", "    return rate"],
        ),
    ],
)  # fmt: skip
def test_a_value_that_is_one_thing_or_another_is_asked_for(
    company: Company, text: str, holds: bool, asked: str, gone: str, answer: list[str]
):
    change = company.lift("rules.py", text, NUMBERS_SEEN, holds=holds)
    (rules,) = [now for path, now in change.platform.items() if path.name == "rules.py"]
    assert asked in rules.splitlines()
    assert gone not in rules[rules.index("def labelled") :]
    (doc,) = [one for one in added(change.platform, "api.py") if "Default: it stays" in one]
    assert ("what `" in doc) == asked.startswith("    return"), doc
    compile(rules, "rules.py", "exec")
    own = added(change.front_end, "answers.py")
    assert own[-len(answer) :] == answer, own


@pytest.mark.parametrize(
    ("was", "turned"),
    [("a == 1", "a != 1"), ("a in b", "a not in b"), ("not a", "a"), ("a.b", "not a.b"), ("a or b", "not (a or b)")],
)
def test_a_condition_is_turned_round_as_a_person_writes_it(was: str, turned: str):
    module = cst.Module([])
    assert module.code_for_node(turned_round(cst.parse_expression(was))) == turned


def test_what_a_loop_names_goes_along_as_a_parameter(company: Company):
    kinds = {"minor": of_type([5]), "goods": of_type(["cider"]), "place": of_type([0]), "count": of_type([1])}
    change = company.lift("service.py", '"cider"', Seen(types=kinds, examples={}))
    assert added(change.platform, "service.py") == [
        "        minor = ctx.answer(api.adjust_minor)(minor, goods, place, count)"
    ]
    assert "def own_minor(minor: int, goods: str, place: int, count: int) -> int:" in added(
        change.front_end, "answers.py"
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("rules.py", '"tea"', "does more than change a value"),
        ("rules.py", '"rum"', "calls doubled of"),
        ("rules.py", '"ale"', "changes minor, tax"),
        ("rules.py", '"mead"', "does more than change a value"),
        ("service.py", "ctx.caller.client", "uses the context"),
        ("rules.py", "minor = ask.minor", "there is no `if`"),
    ],
)
def test_a_branch_that_no_rule_can_lift_is_refused(company: Company, name: str, text: str, said: str):
    with pytest.raises(ByHand, match=said):
        company.lift(name, text, Seen(types={"minor": of_type([5])}, examples={}))


SHARED = '''
@answers(till.greet)
def {name}(name: str) -> str:
    """Greet in capitals."""
    return name.upper() + SIGN
'''


def test_what_two_answer_alike_becomes_a_product_that_both_switch_on(company: Company):
    south = company.north.with_name("south")
    (company.root / company.name / "products").mkdir()
    for path in (company.root / company.name / "products", south):
        path.mkdir(exist_ok=True)
        (path / "__init__.py").write_text("")
    found: list[Answer] = []
    for folder, code, name in ((company.north, "north", "loudly"), (south, "south", "in_capitals")):
        header = f"from {company.name}.till import api as till\n\n" + 'SIGN = "!"\n'
        imports = "from isthmus.kernel import answers\n"
        (folder / "answers.py").write_text(f'"""Rules."""\n\n{imports}{header}{SHARED.format(name=name)}')
        manifest = MANIFEST.replace("north", code)
        answered = manifest.replace('uses=("till.*",)', f'uses=("till.*",), answers=(answers.{name},)')
        (folder / "front_end.py").write_text(answered)
        (answer,) = load_front_end(folder).answers
        found.append(answer.owned_by(code, 0))
        test = f"from front_ends.{code} import answers\n\n\ndef test_it():\n    assert answers.{name}('a') == 'A!'\n"
        (folder / "test_answers.py").write_text(test)
    change = sink(found, {"north": company.north, "south": south}, company.root, "capitals")
    (product,) = change.platform.values()
    assert product.endswith(
        '@answers(till.greet)\ndef loudly(name: str) -> str:\n    """Greet in capitals."""\n'
        "    return name.upper() + SIGN\n"
        '\n\nCAPITALS = Product(\n    name="capitals",\n    doc="Greet in capitals.",\n    owner="till team",\n'
        "    answers=(loudly,),\n)\n"
    )
    assert 'SIGN = "!"' in product
    for folder in (company.north, south):
        text = change.front_end[folder / "front_end.py"]
        assert "products=(CAPITALS,)" in text.replace(" ", "")
        assert f"from {company.name}.products.capitals import CAPITALS" in text
        assert "answers=" not in text
        assert "greet" not in change.front_end[folder / "answers.py"]
        assert "SIGN" not in change.front_end[folder / "answers.py"]
        assert "    assert loudly('a') == 'A!'" in change.front_end[folder / "test_answers.py"]


PRODUCT = '''
"""Products."""

from isthmus.kernel import Product, answers
from {name}.till import api as till


@answers(till.greet)
def in_capitals(name: str) -> str:
    """Greet in capitals."""
    return name.upper() + "!"


CAPITALS = Product(name="capitals", doc="Greet in capitals.", owner="till", answers=(in_capitals,))
'''


def test_what_a_product_says_already_is_said_by_it_and_the_condition_stays(company: Company):
    products = company.root / company.name / "products"
    products.mkdir()
    (products / "__init__.py").write_text("")
    (products / "capitals.py").write_text(PRODUCT.lstrip().format(name=company.name))
    header = f'from isthmus.kernel import answers\nfrom {company.name}.till import api as till\n\nSIGN = "!"\n'
    own = SHARED.format(name="loudly").replace("till.greet)", 'till.greet, when={"channel": "store"})')
    (company.north / "answers.py").write_text(f'"""Rules."""\n\n{header}{own}')
    answered = MANIFEST.replace('uses=("till.*",)', 'uses=("till.*",), answers=(answers.loudly,)')
    (company.north / "front_end.py").write_text(answered.lstrip())
    (answer,) = load_front_end(company.north).answers
    product = importlib.import_module(f"{company.name}.products.capitals").CAPITALS
    change = reuse(answer.owned_by("north", 0), product.answers[0].owned_by("capitals", 0), company.north)
    assert not change.platform
    (text,) = change.front_end.values()
    assert text.endswith(
        '@answers(till.greet, when={"channel": "store"})\ndef loudly(name: str) -> str:\n'
        '    """Greet in capitals."""\n    return in_capitals(name)\n'
    )
    assert f"from {company.name}.products.capitals import in_capitals" in text
    assert "SIGN" not in text
    assert change.title == "Let north.loudly say what capitals.in_capitals says"
