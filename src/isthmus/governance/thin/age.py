"""What is younger than what was observed: calls that came before it could not have used it. Git tells."""

from __future__ import annotations

import ast
import re
import subprocess
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from .history import WINDOW, git, within


@dataclass
class Age:
    """The code of a checkout as it was when the observation began; where there is no checkout, all is old."""

    root: Path
    begun: datetime
    _held: dict[Path, str | None] = field(default_factory=dict[Path, str | None])

    def is_young(self, file: Path, text: str, within_class: str = "") -> bool:
        """Tell whether a file did not say something yet; of a class, a field of it."""
        if self._top is None or (path := within(self._top, file)) is None:
            return False
        if file not in self._held:
            self._held[file] = self._then(str(path)) if self._commit else None
        before = self._held[file]
        if before is None:
            return True
        return text not in before if not within_class else text not in _fields(before, within_class)

    @cached_property
    def _top(self) -> Path | None:
        try:
            return Path(git(self.root, "rev-parse", "--show-toplevel").strip())
        except (OSError, ValueError, subprocess.SubprocessError):
            return None

    @cached_property
    def _commit(self) -> str:
        assert self._top is not None
        return git(self._top, "rev-list", "-1", f"--before={self.begun.isoformat()}", "HEAD").strip()

    def _then(self, path: str) -> str | None:
        assert self._top is not None
        try:
            return git(self._top, "show", f"{self._commit}:{path}")
        except ValueError:  # it lay elsewhere, or nowhere
            return None


def begun_at(first: datetime | None, now: datetime) -> datetime:
    """Return since when calls tell what is used: the first that is kept, and no more than the window."""
    return max(first, now - WINDOW) if first else now - WINDOW


def _fields(source: str, name: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set(re.findall(r"^ +(\w+):", source, re.MULTILINE))
    kinds = [one for one in ast.walk(tree) if isinstance(one, ast.ClassDef) and one.name == name]
    lines = [line for one in kinds for line in one.body if isinstance(line, ast.AnnAssign)]
    return {line.target.id for line in lines if isinstance(line.target, ast.Name)}
