"""Make a question of what a front end has an answer for: the point, with what is today as its default, and its place.

    @answers("pricing.round-fee", at="checkout.bill")     the front end wrote this
    def whole_euros(fee: Money) -> Money: ...

asks `pricing.round_fee` for the value `fee` of the function `bill` of checkout.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import Pack, errors
from isthmus.kernel.host import Answer

from . import parts
from .code import ByHand, Question, Source, ask_at
from .words import Ref, of_annotation

POINTS_MAX = 12  # of a pack, as the registry has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is written: of the platform, which changes no result, and of the front end, which is what it is for.

    gone: files that go. renamed: a capability, and its name from now on. tests: files that have to pass afterwards.
    notes: what else a reviewer is to know. lost, unsent: fields and events that are gone, which is what it is for.
    """

    name: str
    title: str
    platform: Mapping[Path, str]
    front_end: Mapping[Path, str]
    folders: tuple[Path, ...]  # of packs and the front end that it begins with
    gone: tuple[Path, ...] = ()
    tests: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    renamed: tuple[str, str] | None = None
    lost: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()


def seam(answer: Answer, code: str, folder: Path, packs: Mapping[str, Pack], root: Path) -> Change:
    """Return the change that lets an answer be asked for. Raises ByHand, NotSayable."""
    question = question_of(answer)
    home, place = (_pack(packs, name) for name in (question.name, answer.at))
    points = packs[question.name.partition(".")[0]].extension_points()
    if len(points) >= POINTS_MAX:
        raise ByHand(
            f"{home.package} has {len(points)} extension points", remedy="retire one, or ask it of another pack"
        )
    files = {one.path: one for pack in {home, place} for one in pack.sources()}
    before = {path: one.text() for path, one in files.items()}
    sources = list(files.values())
    parts.declare(sources, home.package, question)
    where = [one for one in sources if one.name.startswith(f"{place.package}.")]
    ask_at(where, answer.at.partition(".")[2].replace("-", "_"), question, home.package)
    platform = parts.changed(sources, before)
    platform |= parts.raised_budget(root / parts.BUDGETS, question.name.partition(".")[0])
    platform |= default_test(root, question, home.package)
    return Change(
        name=question.name,
        title=f"Ask {question.name} in {answer.at}",
        platform=platform,
        front_end=_answered(folder, answer, question, home.package),
        folders=(home.folder, place.folder, folder),
    )


def question_of(answer: Answer) -> Question:
    """Return the question that an answer's signature says. Raises NotSayable where a type cannot be imported."""
    names = cast("Mapping[str, Any]", answer.function.__globals__)
    hints = {name: of_annotation(one, names) for name, one in _annotations(answer).items()}
    returns, value = hints.pop("return"), next(iter(hints))
    if any(one.name == "Pass" for one in returns.refs):
        raise ByHand(
            f"{answer.name} ({answer.source}) may say PASS, and a value that is replaced is always there",
            remedy=f"return {value} as it came where it has no opinion",
        )
    return Question(
        name=answer.point.name,
        parameters=hints,
        returns=returns,
        doc=f"Replace the {value.replace('_', ' ')} in `{answer.at}`. Default: it stays as it is.",
    )


def default_test(root: Path, question: Question, package: str) -> dict[Path, str]:
    """Return a test of what is said where nobody answers."""
    beside = root / "tests" / "packs" / package.rpartition(".")[2]  # where tests are laid out as packs are
    path = (beside if beside.is_dir() else root / "tests") / f"test_{question.python}.py"
    test = Source(path, "", f'"""{question.name}: where nobody answers, nothing changes."""\n')
    asked = test.reach(Ref(module=f"{package}.api", name=question.python))
    value = question.value
    test.need("typing", "Any")
    arguments = ", ".join(["anything"] * len(question.parameters))
    test.append(
        f"def test_the_{value}_stays_where_nobody_answers() -> None:\n"
        f"    anything: Any = object()\n"
        f"    assert {asked}({arguments}) is anything\n"
    )
    return {path: test.text()}


def _annotations(answer: Answer) -> dict[str, str]:
    """Return the annotations of an answer as they stand in its source."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(answer.function))).body
    if not isinstance(node, ast.FunctionDef):
        raise ByHand(f"{answer.name} ({answer.source}) is no plain function", remedy="write it with `def`")
    written = {one.arg: one.annotation for one in node.args.args} | {"return": node.returns}
    missing = [name for name, one in written.items() if one is None]
    if missing or not answer.parameters:
        raise ByHand(
            f"{answer.name} ({answer.source}) says no type of {', '.join(missing) or 'a value'}",
            remedy="annotate its parameters and what it returns: the question is made of them",
        )
    return {name: ast.unparse(one) for name, one in written.items() if one is not None}


def _pack(packs: Mapping[str, Pack], name: str) -> parts.PackFiles:
    pack = name.partition(".")[0]
    if pack not in packs:
        raise errors.NotFound(f"there is no pack {pack!r}{errors.near(pack, packs)}", remedy="name one that is there")
    return parts.PackFiles.of(packs[pack].api.__name__)


def _answered(folder: Path, answer: Answer, question: Question, package: str) -> dict[Path, str]:
    """Let the answer name the point, and list it in the manifest."""
    path = Path(inspect.getsourcefile(answer.function) or "")
    own = parts.front_end_source(folder, path.name)
    function = own.function(answer.name)
    if function is None:
        raise ByHand(f"{answer.name} is no function of {path.name}", remedy="write it at the top of the module")
    call = cast(cst.Call, m.findall(function.decorators[0], m.Call(func=m.Name("answers")))[0])
    asked = cst.parse_expression(own.reach(Ref(module=f"{package}.api", name=question.python)))
    kept = [one for one in call.args[1:] if not (one.keyword and one.keyword.value == "at")]
    if kept:
        kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    own.replace(
        call, call.with_changes(args=[call.args[0].with_changes(value=asked, comma=cst.MaybeSentinel.DEFAULT), *kept])
    )
    manifest = parts.listed(folder, answer.name)
    return {own.path: own.text(), manifest.path: manifest.text()}
