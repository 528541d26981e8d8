"""A copy of a checkout in which a change is made and tried, and from which it becomes a branch and a patch."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from isthmus.kernel import errors

LEFT_OUT: Final = shutil.ignore_patterns(".isthmus", ".venv", "__pycache__", ".git", "node_modules", ".*_cache")
WHO: Final = ("-c", "user.name=isthmus", "-c", "user.email=isthmus@localhost")  # where git knows nobody


class NotCommitted(errors.Conflict):
    """What the change begins with is not committed."""

    slug = "governance.not-committed"


class BranchExists(errors.Conflict):
    """There is a branch of this name."""

    slug = "governance.branch-exists"


@dataclass(frozen=True, slots=True)
class Tree:
    """A copy of a folder. top: what it is a copy of. is_git: the copy is a work tree of its own of that checkout."""

    top: Path
    copy: Path
    is_git: bool

    def here(self, path: Path) -> Path:
        """Return where a file of the original lies in the copy."""
        return self.copy / path.resolve().relative_to(self.top)

    def holds(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.top)

    def write(self, files: Mapping[Path, str]) -> None:
        """Write files, named as in the original."""
        for path, text in files.items():
            self.here(path).parent.mkdir(parents=True, exist_ok=True)
            self.here(path).write_text(text)

    def remove(self, files: Iterable[Path]) -> None:
        """Remove files, named as in the original."""
        for path in files:
            self.here(path).unlink()

    def commit(self, message: str) -> None:
        """Commit all that differs."""
        git(self.copy, "add", "--all")
        git(self.copy, *WHO, "commit", "--quiet", "--no-verify", "--message", message)

    def branch(self, name: str) -> None:
        """Let a branch of the original begin here."""
        git(self.copy, "branch", "--quiet", name)

    def patch(self, commits: int) -> str:
        """Return the last commits as one patch that `git am` takes."""
        return git(self.copy, "format-patch", "--stdout", f"-{commits}")


@contextmanager
def copied(root: Path) -> Generator[Tree]:
    """Give a copy of the checkout around a folder as it was committed last; of no checkout, of the folder as it is."""
    with tempfile.TemporaryDirectory(prefix="isthmus-change-") as made:
        copy = Path(made).resolve() / "tree"
        top = top_of(root)
        if top is not None:
            git(top, "worktree", "add", "--quiet", "--detach", str(copy), "HEAD")
            try:
                yield Tree(top, copy, is_git=True)
            finally:
                git(top, "worktree", "remove", "--force", str(copy))
            return
        shutil.copytree(root, copy, ignore=LEFT_OUT, symlinks=True)
        git(copy, "init", "--quiet")
        tree = Tree(root.resolve(), copy, is_git=False)
        tree.commit("As it is")
        yield tree


def check_committed(tree: Tree, *folders: Path) -> None:
    """Raise NotCommitted where a folder that a change begins with differs from what was committed."""
    held = [str(one.resolve().relative_to(tree.top)) for one in folders if tree.holds(one)]
    if tree.is_git and held and (changed := git(tree.top, "status", "--porcelain", "--", *held).strip()):
        raise NotCommitted(
            f"{changed.splitlines()[0].split()[-1]} is changed, and the branch begins with what is committed",
            remedy="commit it first",
        )


def check_branch(tree: Tree, name: str) -> None:
    """Raise BranchExists where there is one of this name."""
    if tree.is_git and git(tree.top, "branch", "--list", name).strip():
        raise BranchExists(f"there is a branch {name!r} already", remedy="look at it, and delete or rename it")


def top_of(folder: Path) -> Path | None:
    """Return the top of the checkout around a folder; None where it is in none."""
    try:
        return Path(git(folder, "rev-parse", "--show-toplevel").strip()).resolve()
    except (OSError, subprocess.CalledProcessError):
        return None


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it said."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout
