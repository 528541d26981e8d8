"""How thin the repository was from its first commit on, as far as git tells it: nothing of then is run.

Up to sixty commits of the main line are looked at, at even distances; each file of then is read once. What is in the
code alone stands for what calls would tell: how much front ends decide, which of them the platform names or gives a
setting that nobody else has, how many questions two answer, in which settings they differ, whether their changes needed
the platform, and how both grew. What calls alone tell, such as a branch that one front end takes, is not in it.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

from isthmus.kernel import Value, decode, encode
from isthmus.language import mark
from isthmus.store import Database

from .findings import FRONT_ENDS_MIN, OPTIONS_MIN
from .history import WINDOW, git, within
from .index import OUT_ENOUGH, Index, Term, index_of, neutrality, share, sub_linear
from .written import Written, written

EDITION: Final = 2  # of what is read of a commit
SAMPLES_MAX: Final = 60  # more are no better picture, and each takes a second or two

_KEEP: Final = (
    "insert into governance.thinness_past (commit, at, sample) values ($1, $2, $3) on conflict (commit) do nothing"
)
_FORGET: Final = "delete from governance.thinness_past where not commit = any($1)"
_KEPT: Final = "select sample from governance.thinness_past order by at, commit"


class Sample(Value):
    """A commit. platform, own: decisions in packs and flows, and in front ends and products.

    changes, waited: of front ends in the 28 days before, and those of them that changed the platform too. alone: front
    ends' codes that the platform compares with, and settings that one of several has. questions, shared: extension
    points, and those with two answers. settings, differing: those of front ends, and those with two values.
    edition: of what is read, since a commit that was read by another is read again.
    """

    commit: str
    at: datetime
    platform: int
    own: int
    front_ends: int
    changes: int
    waited: int
    alone: int = 0
    questions: int = 0
    shared: int = 0
    settings: int = 0
    differing: int = 0
    edition: int = 1


class Point(Value):
    """How thin it was at a commit."""

    sample: Sample
    index: Index


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie today: packs and flows, the folder of front ends, and products."""

    platform: tuple[Path, ...]
    front_ends: Path
    products: tuple[Path, ...] = ()


def samples(
    root: Path, places: Places, known: Mapping[str, Sample], step: Callable[[int, int], None] = lambda done, of: None
) -> list[Sample]:
    """Look at commits of the checkout around a folder, the first one first; those that are known are not read again.

    Raises ValueError where there is no checkout that has front ends and platform.
    """
    top = Path(git(root, "rev-parse", "--show-toplevel").strip())
    ours = within(top, places.front_ends)
    theirs = [path for one in places.platform if (path := within(top, one)) is not None]
    products = [path for one in places.products if (path := within(top, one)) is not None]
    if ours is None or not theirs:
        raise ValueError("front ends and platform are not in one checkout")
    chosen = sampled(_main_line(top))
    changes = list(_changes(top, ours, theirs))
    found: list[Sample] = []
    with _reading(top) as read:
        held: dict[str, Written] = {}
        for number, (commit, at) in enumerate(chosen):
            if commit not in known or known[commit].edition != EDITION:
                asked = [waited for when, waited in changes if at - WINDOW <= when <= at]
                files = _files(top, commit, theirs, [ours, *products], lambda blob: (
                    held[blob] if blob in held else held.setdefault(blob, written(read(blob)))
                ))  # fmt: skip
                sizes = _sizes(list(files), [ours, *products], ours)
                found.append(Sample(commit=commit, at=at, **sizes, changes=len(asked), waited=sum(asked)))
            else:
                found.append(known[commit])
            step(number + 1, len(chosen))
    return found


def sampled(commits: Sequence[tuple[str, datetime]]) -> list[tuple[str, datetime]]:
    """Choose commits at even distances, the first and the last among them.

    One that was chosen stays for long: the distance doubles when there are too many.
    """
    distance = 1
    while len(commits) / distance > SAMPLES_MAX - 1:
        distance *= 2
    chosen = list(commits[::distance])
    return chosen if not commits or chosen[-1] == commits[-1] else [*chosen, commits[-1]]


def points(found: Sequence[Sample]) -> list[Point]:
    """Return how thin it was at each commit that had a platform and front ends."""
    whole = [one for one in found if one.platform and one.front_ends]
    return [Point(sample=one, index=_index(one, whole)) for one in whole]


async def kept(database: Database) -> list[Sample]:
    """Return what was found before, the first commit first."""
    async with database.platform() as session:
        return [decode(row["sample"].encode(), Sample) for row in await session.fetch(_KEPT)]


async def keep(database: Database, found: Iterable[Sample]) -> None:
    """Keep what was found, and nothing of commits that are not among these."""
    rows = list(found)
    async with database.platform() as session:
        await session.execute(_FORGET, [one.commit for one in rows])
        for one in rows:
            await session.execute(_KEEP, one.commit, one.at, encode(one).decode())


def lines(found: Sequence[Point]) -> Iterator[str]:
    """Return the course in lines, a bar of fifty for a hundred."""
    for one in found:
        value = one.index.value
        said = f"{value:5.1f} {'█' * round(value / 2)}" if value is not None else "not known"
        sizes = f"{one.sample.platform:,} : {one.sample.own:,} decisions, {one.sample.front_ends} front ends"
        yield f"{one.sample.at:%Y-%m-%d} {one.sample.commit[:8]}  {said}  ({sizes})"


def _index(one: Sample, whole: Sequence[Sample]) -> Index:
    before = [other for other in whole if other.at <= one.at - WINDOW]
    then = before[-1] if before else whole[0]
    total = one.platform + one.own
    out = min(1.0, one.own / total / OUT_ENOUGH)
    terms = (
        Term(
            name="logic-out",
            value=out,
            evidence=mark(f"{one.own} of {total} decisions in the code are front ends' or products' own"),
        ),
        neutrality(one.alone, one.platform, one.platform if one.front_ends >= FRONT_ENDS_MIN else one.alone),
        share(
            "surface-used",
            one.shared,
            one.questions,
            mark(f"{one.shared} of {one.questions} extension points have two answers in the code"),
        ),
        share(
            "options-live",
            one.differing,
            one.settings if one.settings >= OPTIONS_MIN else 0,
            mark(f"{one.differing} of {one.settings} settings of front ends have two values in the code"),
        ),
        share(
            "no-queue",
            one.changes - one.waited,
            one.changes,
            mark(f"{one.waited} of {one.changes} changes of a front end in 28 days changed the platform too"),
        ),
        sub_linear((then.platform, one.platform), (then.front_ends, one.front_ends), f"{then.at:%Y-%m-%d}"),
    )
    return index_of({term.name: term for term in terms})


def _main_line(top: Path) -> list[tuple[str, datetime]]:
    said = git(top, "log", "--first-parent", "--reverse", "--format=%H %ct")
    pairs = (line.split() for line in said.splitlines())
    return [(commit, datetime.fromtimestamp(int(at), UTC)) for commit, at in pairs]


def _changes(top: Path, ours: PurePosixPath, theirs: Sequence[PurePosixPath]) -> Iterator[tuple[datetime, bool]]:
    """Yield of each commit that changed a front end when it was, and whether it changed the platform too."""
    said = git(top, "log", "--no-merges", "--name-only", "--format=%x00%ct")
    for commit in said.split("\0")[1:]:
        at, *names = [line for line in commit.splitlines() if line]
        files = [PurePosixPath(name) for name in names]
        if any(file.is_relative_to(ours) for file in files):
            is_both = any(file.is_relative_to(one) for one in theirs for file in files)
            yield datetime.fromtimestamp(int(at), UTC), is_both


def _files(
    top: Path,
    commit: str,
    platform: Sequence[PurePosixPath],
    own: Sequence[PurePosixPath],
    read: Callable[[str], Written],
) -> Iterator[tuple[PurePosixPath, Written]]:
    """Yield the files of Python of a commit, with what each says; no tests."""
    said = git(top, "ls-tree", "-r", "-z", commit, "--", *map(str, {*platform, *own}))
    for line in said.split("\0"):
        about, _, name = line.partition("\t")
        path = PurePosixPath(name)
        if path.suffix == ".py" and not path.name.startswith("test_"):
            yield path, read(about.split()[2])


def _sizes(
    files: Sequence[tuple[PurePosixPath, Written]], own: Sequence[PurePosixPath], front_ends: PurePosixPath
) -> dict[str, int]:
    """Return what a sample has of the code of a commit."""
    out = [(path, one) for path, one in files if any(path.is_relative_to(folder) for folder in own)]
    inside = [one for path, one in files if not any(path.is_relative_to(folder) for folder in own)]
    manifests = {path.parent.name: one for path, one in out
                 if path.name == "front_end.py" and path.is_relative_to(front_ends)}  # fmt: skip
    settings: dict[str, list[str]] = {}
    for one in manifests.values():
        for key, value in one.settings:
            settings.setdefault(key, []).append(value)
    answered = Counter(name for _, one in out for name in one.answered)
    asked = {name for one in inside for name in one.asked}
    alone = sum(text in manifests for one in inside for text in one.compared)
    if len(manifests) >= FRONT_ENDS_MIN:
        alone += sum(len(values) == 1 for values in settings.values())
    return {
        "platform": sum(one.decisions for one in inside),
        "own": sum(one.decisions for _, one in out),
        "front_ends": len(manifests),
        "alone": alone,
        "questions": len(asked),
        "shared": sum(answered[name] > 1 for name in asked),
        "settings": len(settings),
        "differing": sum(len(set(values)) > 1 for values in settings.values()),
        "edition": EDITION,
    }


@contextmanager
def _reading(top: Path) -> Generator[Callable[[str], bytes]]:
    """Give what reads files of any commit, by their names in git."""
    command = ["git", "cat-file", "--batch"]
    with subprocess.Popen(command, cwd=top, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        to, out = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)

        def read(blob: str) -> bytes:
            to.write(f"{blob}\n".encode())
            to.flush()
            size = int(out.readline().split()[2])
            return out.read(size + 1)[:-1]

        yield read
        to.close()
