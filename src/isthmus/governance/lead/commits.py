"""What git says of the versions that were deployed: which commit each is, when it was written, when it was merged.

A version is found by its content: the folder of a commit has the same hash as what was deployed. So nobody types in
which commit went live, and a deploy from a folder that was never committed is known as one.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from isthmus.kernel import errors
from isthmus.runtime.deploy.loading import is_left_out

COMMITS_MAX: Final = 2_000  # of one folder: what is older is not looked for
BRANCHES_MAX: Final = 200


class NoCheckout(errors.NotFound):
    """Git tells nothing of a folder."""

    slug = "governance.no-checkout"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: when it was written, when it reached the main line and with which commits, and what it changed."""

    id: str
    written: datetime
    merged: datetime
    landing: str
    files: tuple[PurePosixPath, ...]


@dataclass(slots=True)
class Checkout:
    """The history of one checkout, along its main line. platform: folders that are the platform's."""

    top: Path
    platform: tuple[PurePosixPath, ...]
    commits: dict[str, Commit] = field(default_factory=dict[str, Commit])  # oldest first
    _hashes: dict[tuple[str, PurePosixPath], str] = field(default_factory=dict[tuple[str, PurePosixPath], str])

    @classmethod
    def read(cls, root: Path, platform: Sequence[Path]) -> Checkout:
        """Read the checkout around a folder. Raises NoCheckout."""
        try:
            top = Path(git(root, "rev-parse", "--show-toplevel").strip()).resolve()
            theirs = [one.resolve().relative_to(top) for one in platform if one.resolve().is_relative_to(top)]
            found = cls(top, tuple(map(PurePosixPath, theirs)))
            found.commits = _commits(top)
        except (OSError, subprocess.SubprocessError, ValueError) as wrong:
            raise NoCheckout(f"git tells nothing of {root}: {wrong}", remedy="run this in a checkout") from None
        return found

    def of_folder(self, folder: PurePosixPath) -> list[Commit]:
        """Return the commits that changed a folder, oldest first."""
        found = [one for one in self.commits.values() if any(file.is_relative_to(folder) for file in one.files)]
        return found[-COMMITS_MAX:]

    def version(self, commit: str, folder: PurePosixPath) -> str:
        """Return the hash that the folder of a commit has as a version; nothing where it has none."""
        key = (commit, folder)
        if key not in self._hashes:
            self._hashes[key] = _version(self.top, commit, folder)
        return self._hashes[key]

    def with_platform(self, commits: Sequence[Commit]) -> tuple[str, ...]:
        """Return the commits of the platform that came with these: the same commit, or merged together with it.

        The first commit of a checkout brings whatever there was, and nobody had asked for it.
        """
        landings = {one.landing for one in commits} - {next(iter(self.commits), "")}
        together = [one for one in self.commits.values() if one.landing in landings]
        return tuple(one.id for one in together if self.is_platform(one.files))

    def is_platform(self, files: Sequence[PurePosixPath]) -> bool:
        return any(file.is_relative_to(one) for one in self.platform for file in files)

    def waiting(self, front_ends: Sequence[PurePosixPath]) -> list[str]:
        """Return the branches that change a front end and the platform, and are not merged."""
        said = git(self.top, "branch", "--all", "--no-merged", "HEAD", "--format=%(refname:short)")
        found: list[str] = []
        for branch in said.split()[:BRANCHES_MAX]:
            names = git(self.top, "diff", "--name-only", f"HEAD...{branch}").splitlines()
            files = [PurePosixPath(one) for one in names]
            if self.is_platform(files) and any(file.is_relative_to(one) for one in front_ends for file in files):
                found.append(branch)
        return found

    def within(self, folder: Path) -> PurePosixPath | None:
        """Return a folder as git names it; None where it is elsewhere."""
        at = folder.resolve()
        return PurePosixPath(at.relative_to(self.top)) if at.is_relative_to(self.top) else None


def _commits(top: Path) -> dict[str, Commit]:
    """Read all commits below HEAD, each with the commit of the main line that it came in by."""
    landing = _landings(top)
    said = git(top, "log", "--reverse", "--name-only", "--format=%x00%H %aI %cI", "--no-renames")
    found: dict[str, tuple[datetime, datetime, tuple[PurePosixPath, ...]]] = {}
    for part in said.split("\0")[1:]:
        head, *names = part.splitlines()
        commit, written, committed = head.split()
        files = tuple(PurePosixPath(one) for one in names if one)
        found[commit] = (datetime.fromisoformat(written), datetime.fromisoformat(committed), files)
    return {
        commit: Commit(commit, written, found[landing[commit]][1], landing[commit], files)
        for commit, (written, _, files) in found.items()
    }


def _landings(top: Path) -> dict[str, str]:
    """Return of each commit the one of the main line (first parents) that brought it in: itself, or a merge."""
    parents: Mapping[str, list[str]] = {
        commit: rest for commit, *rest in map(str.split, git(top, "rev-list", "--parents", "HEAD").splitlines())
    }
    line, at = list[str](), git(top, "rev-parse", "HEAD").strip()
    while at:
        line.append(at)
        at = next(iter(parents.get(at, ())), "")
    found: dict[str, str] = {}
    for mainline in reversed(line):  # oldest first, so that each commit belongs to the first that has it
        open_ = [mainline]
        while open_:
            commit = open_.pop()
            if commit not in found:
                found[commit] = mainline
                open_ += parents.get(commit, ())
    return found


def _version(top: Path, commit: str, folder: PurePosixPath) -> str:
    """Hash the folder of a commit as `content_hash` does a folder on disk."""
    try:
        packed = subprocess.run(
            ["git", "archive", commit, str(folder)], cwd=top, check=True, capture_output=True
        ).stdout
    except subprocess.CalledProcessError:
        return ""  # it was not there yet, or not any more
    digest = hashlib.sha256()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {PurePosixPath(one.name).relative_to(folder): one for one in archive.getmembers() if one.isfile()}
        for inside in sorted(files):
            if not any(map(is_left_out, inside.parts)) and (file := archive.extractfile(files[inside])) is not None:
                digest.update(inside.as_posix().encode() + b"\0" + file.read() + b"\0")
    return digest.hexdigest()


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it said. Raises ValueError with its first words where it refuses."""
    done = subprocess.run(["git", *arguments], cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr.strip().partition("\n")[0])
    return done.stdout
