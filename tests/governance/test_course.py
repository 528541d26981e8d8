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
    assert terms == {"logic-out": pytest.approx(0.5 / 0.6), "no-queue": 0.5, "sub-linear": 1.0}
    last = {one.name: one.value for one in points[2].index.terms}
    assert last["no-queue"] == 0.0
    assert last["sub-linear"] is not None
    assert last["sub-linear"] < 0.1, "the platform grew, and its front ends did not"


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
