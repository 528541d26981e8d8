"""How thin the code was is told from git alone, from the first commit on, and each commit is read once."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from isthmus.governance.thin import course
from isthmus.store import Database

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BRANCH = "    if a:\n        return 1\n"


def code(decisions: int) -> str:
    return "def f(a):\n" + BRANCH * decisions + "    return 2\n"


class Checkout:
    """A repository whose commits are so many days apart."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.places = course.Places(
            platform=(root / "src" / "packs",), front_ends=root / "front_ends", products=(root / "src" / "products",)
        )
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)

    def commit(self, day: int, **files: str) -> None:
        for name, text in files.items():
            path = self.root / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".py").write_text(text)
        when = (BEGIN + timedelta(days=day)).isoformat()
        known = {**os.environ, "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
        subprocess.run(["git", "add", "-A"], cwd=self.root, check=True)
        who = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
        subprocess.run(["git", *who, "commit", "-qm", "Change"], cwd=self.root, check=True, env=known)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    made.commit(0, README="")
    made.commit(
        1, src__packs__till__rules=code(3), src__packs__till__test_rules=code(9), front_ends__north__front_end="A = 1"
    )
    made.commit(2, src__products__half=code(1), front_ends__north__answers=code(2))
    made.commit(40, src__packs__till__rules=code(12), front_ends__north__answers=code(1))
    return made


def test_each_commit_tells_who_decided_how_much_and_whose_changes_waited(checkout: Checkout):
    found = course.samples(checkout.root, checkout.places, {})
    said = [(one.platform, one.own, one.front_ends, one.changes, one.waited) for one in found]
    assert said == [(0, 0, 0, 0, 0), (3, 0, 1, 1, 1), (3, 3, 1, 2, 1), (12, 2, 1, 1, 1)]
    assert [one.at.day for one in found[:3]] == [1, 2, 3]
    points = course.points(found)
    assert len(points) == 3, "before there was a platform there is nothing to say"
    terms = {one.name: one.value for one in points[1].index.terms}
    assert {name: value for name, value in terms.items() if value is not None} == {
        "logic-out": pytest.approx(0.5 / 0.6),
        "no-queue": 0.5,
        "sub-linear": 1.0,
    }, "of one front end without questions and settings the other terms are not known"
    last = {one.name: one.value for one in points[2].index.terms}
    assert last["no-queue"] == 0.0
    assert last["sub-linear"] is not None
    assert last["sub-linear"] < 0.1, "the platform grew, and its front ends did not"


ASKS = """
@extension_point("till.fee", combine=combine.first_answer)
def fee(minor):
    return minor


@extension_point("till.tip", combine=combine.first_answer)
def tip(minor):
    return minor
"""
NAMES = """

def paper(ctx):
    return "thick" if ctx.front_end == "west" else "thin"
"""


def answer(name: str) -> str:
    return f"@answers(till.{name})\ndef own(minor):\n    return 0\n"


def manifest(**settings: str) -> str:
    return f"FRONT_END = FrontEnd(code='a', settings={settings!r})\n"


def test_whom_the_platform_names_what_two_answer_and_where_settings_differ_is_in_the_code(tmp_path: Path):
    checkout = Checkout(tmp_path)
    codes = ("north", "south", "west")
    own = {f"front_ends__{code}__front_end": manifest(paper="short", ink=code) for code in codes}
    own |= {f"front_ends__{code_}__answers": answer("fee") + code(4) for code_ in ("north", "south")}
    checkout.commit(1, src__packs__till__api=ASKS + code(8))
    checkout.commit(2, **own)
    checkout.commit(3, src__packs__till__api=ASKS + code(8) + NAMES)
    checkout.commit(4, front_ends__west__front_end=manifest(ink="west", bags="none"))
    before, _, after = course.points(course.samples(tmp_path, checkout.places, {}))
    was, now = ({one.name: one for one in point.index.terms} for point in (before, after))
    assert (was["surface-used"].value, was["options-live"].value) == (0.5, 0.5)
    assert was["neutrality"].value == 1.0
    assert (after.sample.alone, after.sample.settings, after.sample.differing) == (2, 3, 1)
    assert now["neutrality"].value is not None
    assert now["neutrality"].value < 0.1, "it names a front end, and gives one a setting of its own"
    assert now["neutrality"].evidence.startswith("2 of 9 decisions of the platform serve one front end alone")
    assert before.index.value is not None
    assert after.index.value is not None
    assert after.index.value < before.index.value


def test_what_was_read_by_another_edition_is_read_again(checkout: Checkout):
    found = course.samples(checkout.root, checkout.places, {})
    old = {one.commit: one.replace(platform=99, edition=1) for one in found}
    assert course.samples(checkout.root, checkout.places, old) == found


def test_what_is_known_is_not_read_again_and_each_commit_is_counted_off(checkout: Checkout):
    found = course.samples(checkout.root, checkout.places, {})
    counted: list[tuple[int, int]] = []
    other = {one.commit: one.replace(platform=99) for one in found[:3]}
    again = course.samples(checkout.root, checkout.places, other, lambda done, of: counted.append((done, of)))
    assert [one.platform for one in again] == [99, 99, 99, 12]
    assert counted == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_commits_are_chosen_from_the_first_to_the_last_and_stay_chosen_while_there_are_more():
    commits = [(f"{number}", BEGIN + timedelta(hours=number)) for number in range(1_000)]
    found = course.sampled(commits)
    assert (found[0], found[-1]) == (commits[0], commits[-1])
    assert course.SAMPLES_MAX / 2 < len(found) <= course.SAMPLES_MAX
    assert set(course.sampled(commits[:990])[:-1]) <= set(found)
    assert course.sampled(commits[:1]) == commits[:1]
    assert course.sampled([]) == []


def test_a_folder_that_is_no_checkout_has_no_past(tmp_path: Path):
    with pytest.raises(ValueError, match="not a git repository"):
        course.samples(tmp_path, course.Places(platform=(tmp_path,), front_ends=tmp_path), {})


async def test_the_course_is_kept_without_commits_that_are_looked_at_no_more(checkout: Checkout, database: Database):
    found = course.samples(checkout.root, checkout.places, {})
    await course.keep(database, found)
    assert await course.kept(database) == found
    await course.keep(database, found[1:])
    assert await course.kept(database) == found[1:]
    (line, *_) = course.lines(course.points(found))
    assert line.startswith("2026-01-02")
    assert "(3 : 0 decisions, 1 front ends)" in line
