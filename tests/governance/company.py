"""A company whose pack, front end and tests have what may go: nobody needs it, or one front end alone does."""

from __future__ import annotations

import difflib
import importlib
import itertools
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from isthmus.governance.thin.change.seam import Change
from isthmus.kernel import Pack
from isthmus.runtime.deploy.loading import PACKAGE

NUMBERS = itertools.count()
API = '''
"""Till, as others may name it."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import ALLOW, Effect, Value, Verdict, capability, combine, errors, extension_point

RATE = 3  # of a hundred


class Refused(errors.Refusal):
    """The front end does not sell this."""

    slug = "till.refused"


class Buy(Value):
    """Ask what goods cost."""

    goods: str
    minor: int


class Total(Value):
    """What goods cost."""

    minor: int


class Label(Value):
    """Ask for a label."""

    goods: str


class Printed(Value):
    """A label."""

    text: str


@extension_point("till.check", combine=combine.every)
def check(ask: Buy) -> Verdict:
    """Veto what is not sold."""
    return ALLOW


@extension_point("till.change-minor", combine=combine.first_answer)
def change_minor(minor: int, ask: Buy) -> int:
    """Change what it costs."""
    return minor


@extension_point("till.fee", combine=combine.first_answer)
def fee(minor: int) -> int:
    """Say the fee. Default: some of a hundred."""
    return minor * RATE // 100


@extension_point("till.tip", combine=combine.first_answer)
def tip(parts: Sequence[int]) -> int:
    """Say the tip. Default: the least of the parts that are more than nothing."""
    found = 0
    for one in parts:
        found = min(found, one) if found else one
    return found


@capability("till.total", version="1.0", effect=Effect.READ, raises=[Refused])
def total(ask: Buy) -> Total:
    """Say what goods cost."""
    ...


@capability("till.label", version="1.0", effect=Effect.READ)
def label(ask: Label) -> Printed:
    """Print a label."""
    ...
'''
RULES = '''
"""What goods cost, decided."""

from __future__ import annotations

from collections.abc import Callable

from . import api

WIDTH = 20  # letters on a label


def summed(ask: api.Buy, change_minor: Callable[[int, api.Buy], int] = api.change_minor) -> int:
    """Return the sum."""
    minor = max(0, ask.minor)
    minor = change_minor(minor, ask)
    return minor


def shortened(text: str) -> str:
    """Return what fits on a label."""
    return text[:WIDTH]
'''
SERVICE = '''
"""The service of till."""

from __future__ import annotations

from isthmus.kernel import Context, implements

from . import api, rules


@implements(api.total)
async def add_up(ask: api.Buy, ctx: Context) -> api.Total:
    verdict = ctx.answer(api.check)(ask)
    if not verdict.is_allowed:
        raise api.Refused(verdict.vetoes[0].reason, remedy="buy something else")
    minor = rules.summed(ask, change_minor=ctx.answer(api.change_minor))
    minor += ctx.answer(api.fee)(minor + 1)
    return api.Total(minor=minor + ctx.answer(api.tip)([minor, 5]))


@implements(api.label)
async def printed(ask: api.Label, ctx: Context) -> api.Printed:
    return api.Printed(text=rules.shortened(ask.goods))
'''
TESTS = '''
"""Till."""

import pytest

from {name}.till import api, rules
from isthmus.kernel import answers


def basket(goods: str = "tea") -> api.Buy:
    return api.Buy(goods=goods, minor=5)


def long_word() -> str:
    return "a" * 30


def test_a_sum_is_no_less_than_nothing() -> None:
    assert rules.summed(basket()) == 5


def test_a_total_is_said() -> None:
    assert api.total is not None


def test_a_label_is_cut() -> None:
    assert api.label
    assert len(rules.shortened(long_word())) == 20


@answers(api.fee)
def no_fee(minor: int) -> int:
    return 0


def test_a_fee_may_be_nothing() -> None:
    assert no_fee(5) == 0
'''
ANSWERS = '''
"""The rules of north."""

from __future__ import annotations

from fractions import Fraction

from isthmus.kernel import PASS, Pass, answers
from {name}.till import api as till

HALF = Fraction(1, 2)
SIGN = "!"


@answers(till.change_minor)
def never(minor: int, ask: till.Buy) -> int | Pass:
    """Half of what is not sold."""
    return PASS if ask.goods else halved(minor)


def halved(minor: int) -> int:
    return int(minor * HALF)


@answers(till.fee)
def no_fee(minor: int) -> int:
    """Nothing on top."""
    return len(SIGN) - 1
'''
MANIFEST = '''
"""What north is."""

from isthmus.kernel import FrontEnd
from {name}.till import api as till
from {name}.products import cheaper

from . import answers

FRONT_END = FrontEnd(
    code="north",
    name="North",
    owner="north",
    uses=("till.label", "till.total"),
    settings={{"receipt": "long", "zone": "UTC"}},
    order={{till.change_minor: (answers.never, cheaper)}},
    answers=(
        answers.never,
        answers.no_fee,
    ),
)
'''
OWN_TESTS = '''
"""The rules of north, alone."""

from front_ends.north import answers


def test_nothing_is_halved() -> None:
    assert answers.never(5, None)


def test_there_is_no_fee() -> None:
    assert answers.no_fee(5) == 0
'''
PRODUCTS = '''
"""Products."""

from isthmus.kernel import PASS, answers
from {name}.till import api as till


@answers(till.change_minor)
def cheaper(minor: int, ask: till.Buy) -> object:
    """Less."""
    return PASS
'''


@dataclass(frozen=True)
class Company:
    root: Path
    name: str
    pack: Pack
    north: Path

    def file(self, name: str) -> Path:
        return self.root / self.name / "till" / name

    def edit(self, path: Path, was: str, now: str) -> None:
        text = path.read_text()
        assert was in text
        path.write_text(text.replace(was, now))

    def unanswered(self) -> None:
        """Let nobody answer anything."""
        (self.root / self.name / "products" / "__init__.py").write_text("")
        (self.north / "answers.py").write_text("")
        (self.north / "front_end.py").write_text("")
        (self.north / "test_answers.py").unlink()


@contextmanager
def made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None] = lambda root: None
) -> Generator[Company]:
    """Make the company below a folder, importable as long as the block runs. write: changes it before that."""
    name = f"thinner_{next(NUMBERS)}"
    texts = {
        f"{name}/__init__.py": "", f"{name}/till/__init__.py": "", "front_ends/__init__.py": "",
        "front_ends/north/__init__.py": "", f"{name}/till/api.py": API, f"{name}/till/rules.py": RULES,
        f"{name}/till/service.py": SERVICE, "tests/test_till.py": TESTS.format(name=name),
        "front_ends/north/answers.py": ANSWERS.format(name=name),
        "front_ends/north/front_end.py": MANIFEST.format(name=name), "front_ends/north/test_answers.py": OWN_TESTS,
        f"{name}/products/__init__.py": PRODUCTS.format(name=name),
        f"{name}/till/guide.md": "# Till\n\n| you want | call |\n|---|---|\n| a label | `till.label` |\n",
    }  # fmt: skip
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text.lstrip())
    write(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    api, service = (importlib.import_module(f"{name}.till.{one}") for one in ("api", "service"))
    pack = Pack(name="till", owner="till", api=api, service=(service,))
    yield Company(tmp_path, name, pack, tmp_path / "front_ends" / "north")
    for module in [one for one in sys.modules if one.startswith((name, f"{PACKAGE}north"))]:
        del sys.modules[module]


def differing(change: Change, name: str) -> list[str]:
    """Return the lines of a file that a change adds and takes out; blank ones tell nothing."""
    ((path, text),) = [(path, text) for path, text in change.platform.items() if path.name == name]
    lines = list(difflib.unified_diff(path.read_text().splitlines(), text.splitlines(), n=0, lineterm=""))
    return [line for line in lines[2:] if not line.startswith("@@") and line not in ("+", "-")]


def changed(change: Change) -> set[str]:
    return {one.name for one in change.platform}


def added(change: Change, name: str) -> list[str]:
    """Return the lines of a new file; blank ones tell nothing."""
    files = {**change.platform, **change.front_end}
    (text,) = [text for path, text in files.items() if path.name == name]
    return [line for line in text.splitlines() if line]
