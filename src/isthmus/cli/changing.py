"""A change of code that is written, proved on recorded calls in processes of their own, and left on a branch."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from isthmus.kernel import errors

from .screen import out, say

if TYPE_CHECKING:
    from isthmus.app.config import Config
    from isthmus.governance.thin.change.proof import Proof, Said
    from isthmus.governance.thin.change.seam import Change
    from isthmus.governance.thin.change.seen import Seen
    from isthmus.governance.thin.change.tree import Tree

Kind = Literal["seam", "lift", "sink", "delete"]

RENAMED = "ISTHMUS_RERUN_AS"  # OLD=NEW: what a capability is called in the code that runs
NOTHING_COLLECTED = 5  # pytest's exit code
CALLS = 300  # of each front end, its capabilities in turn: three runs of each


class NotProved(errors.Conflict):
    """Recorded calls come out otherwise, or cannot be run."""

    slug = "governance.not-proved"


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs recorded calls by the code of a folder. url: of the database. limit: calls of each front end."""

    config: Config
    url: str
    limit: int
    folder: Path  # for what runs write

    def run(
        self,
        name: str,
        tree: Tree | None = None,
        files: Iterable[Path] = (),
        place: str = "",
        renamed: tuple[str, str] | None = None,
    ) -> list[Said]:
        """Run by the code of a copy, or by the original's. files: that were changed there. Raises NotProved."""
        from isthmus.governance.thin.change import proof

        root = tree.here(self.config.root) if tree else self.config.root
        path = [str(tree.here(one)) for one in import_roots(files)] if tree else []
        environment = {**os.environ, "ISTHMUS_DATABASE_URL": self.url}
        environment.pop("ISTHMUS_CONFIG", None)
        if renamed:
            environment[RENAMED] = "=".join(renamed)
        if path:
            environment["PYTHONPATH"] = os.pathsep.join([*path, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        written = self.folder / f"{name}.jsonl"
        command = [
            sys.executable,
            "-m",
            "isthmus.cli.rerun",
            str(written),
            str(self.limit),
            *([place] if place else []),
        ]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise NotProved(f"the code of {name} does not run: {last[0]}", remedy="look at the change by hand")
        return proof.read(written.read_bytes().splitlines())

    def seen(self, name: str) -> Seen:
        """Return what a run saw at the place that it was given."""
        import msgspec

        from isthmus.governance.thin.change.seen import Seen

        return msgspec.json.decode((self.folder / f"{name}.jsonl.seen").read_bytes(), type=Seen)


def check_extra() -> None:
    """Raise Unavailable where what writes code is not installed."""
    if importlib.util.find_spec("libcst") is None:
        raise errors.Unavailable("libcst is not here, which writes code", remedy='pip install "isthmus[thin]"')


def front_end_folder(config: Config, code: str) -> tuple[Path, str]:
    """Return the folder of a front end, and the package that it is loaded as. Raises NotFound."""
    from isthmus.runtime.deploy.loading import PACKAGE, content_hash, front_end_folders, load_front_end

    folders = {load_front_end(one).code: one for one in front_end_folders(config.front_ends)}
    if code not in folders:
        raise errors.NotFound(f"no front end {code!r}{errors.near(code, folders)}", remedy="name one of the folder")
    folder = folders[code]
    return folder, f"{PACKAGE}{folder.name.replace('-', '_')}_{content_hash(folder)[:12]}"


def check(change: Change, tree: Tree, kind: Kind) -> None:
    """Raise where a change cannot be left: outside the checkout, not committed, or with a branch of that name."""
    from isthmus.governance.thin.change import tree as trees

    outside = next((one for one in (*change.platform, *change.front_end, *change.gone) if not tree.holds(one)), None)
    if outside is not None:
        raise errors.Conflict(f"{outside} is not in {tree.top}", remedy="run this in a checkout that has that code")
    trees.check_committed(tree, *change.folders)
    trees.check_branch(tree, f"{kind}/{change.name}")


def leave(change: Change, tree: Tree, runs: Runs, kind: Kind) -> None:
    """Write a change into a copy, prove it, and leave it on a branch or as a patch. Raises NotProved.

    Nobody's result may change by a lift or a sink; of a seam by the platform's part, and what the front end's part
    changes is shown.
    """
    from isthmus.governance.thin.change import proof

    files = [*change.platform, *change.front_end]
    say("running recorded calls by the code as it is")
    old = runs.run("as it is")
    parts: list[tuple[str, Mapping[Path, str]]] = [(change.title, change.platform)]
    parts += [(f"Answer {change.name}", change.front_end)]
    if kind != "seam":
        parts = [(change.title, {**change.platform, **change.front_end})]
    found: Proof | None = None
    for number, (title, written) in enumerate(parts):
        _write(tree, written, runs.config)
        tree.remove(change.gone)
        say(f"running them by: {title}")
        new = runs.run(f"change {number}", tree, files, renamed=change.renamed)
        found = proof.compared(old, new, runs.run("as it is, again"), change.lost, change.unsent)
        _show(title, found)
        if number == 0 and not found.is_equal:
            raise NotProved(f"{change.name} is not left: results change", remedy="look at the calls above")
        tested = _tested(tree, change.tests, files, runs.config)
        body = "\n".join([*found.lines(), *tested, *change.notes])
        tree.commit(f"{title}\n\n{_why(kind, number)}\n\n{body}\n")
    _keep(f"{kind}/{change.name}", tree, len(parts), runs.config.root)


def _tested(tree: Tree, tests: Iterable[Path], files: Iterable[Path], config: Config) -> list[str]:
    """Run tests in the copy, and return what they said. Raises NotProved."""
    here = [str(tree.here(one)) for one in tests]
    if not here:
        return []
    if importlib.util.find_spec("pytest") is None:
        return ["tests were not run: pytest is not here"]
    say(f"running {len(here)} files of tests")
    roots = [str(tree.here(config.root)), *(str(tree.here(one)) for one in import_roots(files))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(roots)}
    environment.pop("ISTHMUS_CONFIG", None)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *here]
    done = subprocess.run(
        command, cwd=tree.here(config.root), env=environment, capture_output=True, text=True, check=False
    )
    said = done.stdout.strip().splitlines()[-1:] or [done.stderr.strip()[-200:]]
    if done.returncode not in (0, NOTHING_COLLECTED):
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        raise NotProved(f"tests do not pass: {(failed or said)[0]}", remedy="look at the change by hand")
    line = f"tests: {said[0].strip('= ').partition(' in ')[0]}"
    out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    return [line]


def import_roots(files: Iterable[Path]) -> list[Path]:
    """Return the folders from which the packages of these files are imported."""
    found: dict[Path, None] = {}
    for file in files:
        folder = file.parent
        if file.suffix != ".py" or not (folder / "__init__.py").exists():
            continue
        while (folder / "__init__.py").exists():
            folder = folder.parent
        found[folder] = None
    return list(found)


def _write(tree: Tree, files: Mapping[Path, str], config: Config) -> None:
    from isthmus.governance.thin.change import parts

    tree.write(files)
    parts.tidy({tree.here(one): one for one in files}, tree.copy)
    if (tree.here(config.root) / "contracts").is_dir():
        roots = os.pathsep.join(str(tree.here(one)) for one in import_roots(files))
        environment = {**os.environ, "PYTHONPATH": roots}
        budgets = tree.here(config.root) / parts.BUDGETS
        before = budgets.read_text() if budgets.exists() else ""
        lock = [sys.executable, "-m", "isthmus.cli", "compat", "--lock"]
        subprocess.run(lock, cwd=tree.here(config.root), env=environment, check=False, capture_output=True)
        if before:
            budgets.write_text(parts.own_budgets(before, budgets.read_text(), files))


def _why(kind: Kind, number: int) -> str:
    if kind == "lift":
        return "What one front end alone used is its answer now. Recorded calls, run by both:"
    if kind == "delete":
        return "Nobody needs it. Recorded calls, run by both:"
    if kind == "sink":
        return "It was written more than once, and says the same. Recorded calls, run by both:"
    return "Nobody's result changes. Recorded calls, run by both:" if number == 0 else "Recorded calls, run by both:"


def _show(title: str, found: Proof) -> None:
    out.print(title, markup=False, highlight=False)
    for line in found.lines():
        out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _keep(branch: str, tree: Tree, commits: int, root: Path) -> None:
    if tree.is_git:
        tree.branch(branch)
        out.print(
            f"left on branch {branch}: look at it with `git log -p -{commits} {branch}`",
            soft_wrap=True,
            highlight=False,
        )
        return
    file = root / f"{branch.replace('/', '-')}.patch"
    file.write_text(tree.patch(commits))
    out.print(f"left as {file.name}: put it in with `patch -p1 < {file.name}`", soft_wrap=True, highlight=False)
