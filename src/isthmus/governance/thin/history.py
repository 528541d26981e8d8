"""What git says of the past: changes of front ends that had to wait for the platform, and how both have grown."""

from __future__ import annotations

import ast
import io
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Final

from isthmus.language import mark

from .index import Term, share, sub_linear

WINDOW: Final = timedelta(days=28)
COMMITS_MAX: Final = 5_000
DECISIONS: Final = (
    ast.If, ast.IfExp, ast.While, ast.For, ast.AsyncFor, ast.ExceptHandler, ast.match_case, ast.BoolOp,
    ast.comprehension,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Past:
    """The terms that the past tells, or why it does not."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """How large the platform was: decisions in the code of its packs and flows, and front ends beside it."""

    decisions: int
    front_ends: int


def past(root: Path, front_ends: Path, platform: tuple[Path, ...], now: datetime) -> Past:
    """Read the last 28 days of a checkout; where it is none, the terms are not known."""
    since = now - WINDOW
    try:
        top = Path(git(root, "rev-parse", "--show-toplevel").strip())
        ours = within(top, front_ends)
        theirs = tuple(path for one in platform if (path := within(top, one)) is not None)
        if ours is None or not theirs:
            raise ValueError("front ends and platform are not in one checkout")
        changes = list(_changes(top, ours, theirs, since))
        begun = git(top, "log", "--format=%H", f"--before={since.isoformat()}", "-1").strip()
        first = begun or git(top, "rev-list", "--max-parents=0", "HEAD").split()[0]
        then, today = size_at(top, first, ours, theirs), size_at(top, "HEAD", ours, theirs)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        said = mark(f"git tells nothing of it here ({error})")
        return Past(
            (Term(name="no-queue", value=None, evidence=said), Term(name="sub-linear", value=None, evidence=said))
        )
    waited = sum(changes)
    evidence = mark(
        f"{waited} of {len(changes)} changes of a front end since {since:%Y-%m-%d} changed the platform too"
    )
    return Past(
        (
            share("no-queue", len(changes) - waited, len(changes), evidence),
            sub_linear(
                (then.decisions, today.decisions),
                (then.front_ends, today.front_ends),
                "the day of the first commit" if not begun else f"{since:%Y-%m-%d}",
            ),
        )
    )


def size_at(top: Path, commit: str, front_ends: PurePosixPath, platform: tuple[PurePosixPath, ...]) -> Size:
    """Return how large platform and front ends were at a commit."""
    held = [str(one) for one in (*platform, front_ends) if git(top, "ls-tree", commit, str(one)).strip()]
    if not held:
        return Size(0, 0)
    packed = subprocess.run(["git", "archive", commit, *held], cwd=top, check=True, capture_output=True).stdout
    decisions, codes = 0, set[str]()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive.getmembers():
            path = PurePosixPath(member.name)
            if path.is_relative_to(front_ends):
                if path.name == "front_end.py":
                    codes.add(str(path.parent))
            elif path.suffix == ".py" and (file := archive.extractfile(member)) is not None:
                decisions += decisions_in(file.read())
    return Size(decisions, len(codes))


def decisions_in(source: bytes) -> int:
    """Count the decisions in a file; one that does not parse any more has none."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return 0
    return sum(isinstance(node, DECISIONS) for node in ast.walk(tree))


def _changes(top: Path, ours: PurePosixPath, theirs: tuple[PurePosixPath, ...], since: datetime) -> Iterator[bool]:
    """Return of each commit that changed a front end whether it changed the platform too."""
    said = git(
        top, "log", f"--since={since.isoformat()}", f"-{COMMITS_MAX}", "--no-merges", "--name-only", "--format=%x00"
    )
    for commit in said.split("\0"):
        files = [PurePosixPath(line) for line in commit.splitlines() if line]
        if any(file.is_relative_to(ours) for file in files):
            yield any(file.is_relative_to(one) for one in theirs for file in files)


def within(top: Path, folder: Path) -> PurePosixPath | None:
    resolved = folder.resolve()
    return PurePosixPath(resolved.relative_to(top.resolve())) if resolved.is_relative_to(top.resolve()) else None


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr.strip().partition("\n")[0])
    return done.stdout
