"""Calls are looked at, what two versions say is compared, and a change is kept as a branch or a patch."""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from isthmus.governance.thin.change import parts, tree
from isthmus.governance.thin.change.proof import Said, compared
from isthmus.governance.thin.change.seen import Looking, Place
from isthmus.governance.thin.change.words import NotSayable, Ref, of_value
from isthmus.kernel import Value
from isthmus.values import money


def test_budgets_of_packs_that_a_change_leaves_alone_stay_as_they_are():
    was = '{"tax": {"points": 3, "decisions": 9}, "till": {"points": 2, "decisions": 5}}'
    locked = '{"tax": {"points": 3, "decisions": 7}, "till": {"points": 2, "decisions": 4}}'
    kept = json.loads(parts.own_budgets(was, locked, [Path("src/packs/till/rules.py")]))
    assert kept == {"tax": {"points": 3, "decisions": 9}, "till": {"points": 2, "decisions": 4}}


class Odd(Value):
    at: datetime
    parts: tuple[Fraction, ...]
    named: dict[str, UUID]
    note: str = "none"


@pytest.mark.parametrize(
    "value",
    [
        Odd(at=datetime(2026, 5, 4, tzinfo=UTC), parts=(Fraction(1, 3),), named={"a{b}": UUID(int=1)}),
        [money(5, "EUR"), None, "it's", 'say "x"', {"a": {1, 2}}],
    ],
)
def test_a_value_is_written_so_that_it_can_be_read_back(value: object):
    words = of_value(value)
    names: dict[str, Any] = {"Odd": Odd}
    for one in words.refs:
        if one.name != "Odd":
            names[one.name] = getattr(importlib.import_module(one.module), one.name)
    assert eval(words.text.format(*[one.name for one in words.refs]), names) == value


def test_what_has_no_source_code_is_refused():
    with pytest.raises(NotSayable):
        of_value(object())


def test_looking_sees_types_and_examples_of_calls_that_entered():
    def worded(text: str, is_wine: bool) -> str:
        if is_wine:
            text += "!"
        return text

    line = worded.__code__.co_firstlineno + 1
    place = Place(file=__file__, line=line, first=line + 1, last=line + 1)
    looking = Looking.of(json.dumps(msgspec.to_builtins(place)))
    for code, is_wine in (("north", False), ("south", True), ("south", True)):
        with looking.at(code):
            worded(code, is_wine)
    assert worded("quiet", True) == "quiet!"
    seen = looking.seen()
    assert seen.types["text"].text == "str"
    assert [one.after["text"].text for one in seen.examples["south"]] == ['"south!"']
    assert not seen.examples.get("north")


def test_looking_sees_what_was_chosen_and_what_it_would_have_been_otherwise():
    def fee(goods: str) -> int:
        minor = len(goods)
        return minor + 5 if goods == "stamp" else minor

    line = fee.__code__.co_firstlineno + 2
    looking = Looking(
        Place(file=__file__, line=line, first=line, last=line, value="fee", condition='goods == "stamp"',
              otherwise="minor")
    )  # fmt: skip
    for code, goods in (("north", "kite"), ("south", "kite"), ("south", "stamp")):
        with looking.at(code):
            fee(goods)
    seen = looking.seen()
    assert seen.types["fee"].text == "int"
    (example,) = seen.examples["south"]
    assert (example.before["fee"].text, example.before["goods"].text, example.after["fee"].text) == (
        "5",
        '"stamp"',
        "10",
    )
    assert not seen.examples.get("north")


def said(call_id: str, minor: int, *, luck: int = 0, parts: int = 0) -> Said:
    total = {"minor": minor, "luck": luck}
    return Said(front_end="north", capability="till.total", call_id=call_id, said=total, parts=[parts])


def test_a_proof_leaves_noise_out_and_names_what_differs():
    old = [said("1", 5, luck=1), said("2", 5), said("3", 5)]
    again = [said("1", 5, luck=2), said("2", 5), said("3", 5)]
    assert compared(old, [said("1", 5, luck=3), *old[1:]], again).is_equal
    (found,) = compared(old, [said("1", 6, luck=3), said("2", 5, parts=1)], again).front_ends
    assert (found.calls, found.differing, found.noisy) == (3, 3, 1)
    assert found.examples[0] == "till.total 1: $.answer.minor: 5 → 6"
    assert found.examples[1] == "till.total 2: $.parts[0]: 0 → 1"
    assert not compared([], [], []).is_equal, "no call is no proof"


def test_a_change_becomes_a_branch_of_a_clean_checkout_only(tmp_path: Path):
    (tmp_path / "rules.py").write_text("A = 1\n")
    tree.git(tmp_path, "init", "--quiet")
    tree.git(tmp_path, "add", ".")
    tree.git(tmp_path, *tree.WHO, "commit", "--quiet", "-m", "Begin")
    with tree.copied(tmp_path) as copy:
        tree.check_committed(copy, tmp_path)
        copy.write({tmp_path / "rules.py": "A = 2\n", tmp_path / "new" / "b.py": "B = 1\n"})
        copy.commit("Change")
        copy.branch("lift/a")
        with pytest.raises(tree.BranchExists):
            tree.check_branch(copy, "lift/a")
    assert (tmp_path / "rules.py").read_text() == "A = 1\n"
    assert tree.git(tmp_path, "show", "lift/a:rules.py") == "A = 2\n"
    assert len(tree.git(tmp_path, "worktree", "list").splitlines()) == 1
    (tmp_path / "rules.py").write_text("A = 3\n")
    with tree.copied(tmp_path) as copy, pytest.raises(tree.NotCommitted, match=r"rules\.py is changed"):
        tree.check_committed(copy, tmp_path)


def test_of_a_folder_that_is_no_checkout_the_change_is_a_patch(tmp_path: Path):
    (tmp_path / "rules.py").write_text("A = 1\n")
    with tree.copied(tmp_path) as copy:
        copy.write({tmp_path / "rules.py": "A = 2\n"})
        copy.commit("Change")
        assert "-A = 1\n+A = 2\n" in copy.patch(1)
    assert not (tmp_path / ".git").exists()


def test_in_a_file_that_is_laid_out_otherwise_only_what_is_new_is_as_a_person_writes_it(tmp_path: Path):
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    manifest, own = folder / "front_end.py", folder / "rules.py"
    manifest.write_text(
        'from isthmus.kernel import FrontEnd\n\nfrom . import answers\n\nFRONT_END = FrontEnd(\n    code="north",\n'
        "    answers=(answers.begin, answers.end,),\n)\n# a remark\n"
    )
    said = parts.unlisted(folder, "begin", Ref(module="acme.products.start", name="START")).text()
    assert "    answers=(answers.end,),\n    products=(START,),\n)\n# a remark\n" in said
    own.write_text("from . import api\n\n\ndef worded(): return api\n# a remark\n")
    made = tmp_path / "made.py"
    made.write_text(f"from . import api\nfrom collections.abc import Callable\n\n\n{own.read_text()[19:]}A: Callable\n")
    parts.tidy({made: own}, tmp_path)
    assert made.read_text().startswith("from collections.abc import Callable\n\nfrom . import api\n")
    assert "def worded(): return api\n# a remark\n" in made.read_text()
