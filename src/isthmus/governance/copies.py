"""Code that goes along: a copy of a front end with where it is from, and how far both have moved since.

<folder>/taken.toml        from what, when, at which commit, under which licence
<folder>/taken.zip         the files as they were taken, to compare both sides with
<folder>/<package>/…       the copy, which is the taker's own from now on
"""

from __future__ import annotations

import difflib
import hashlib
import re
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec

from isthmus.kernel import Value, encode, errors

FILE: Final = "taken.toml"
BASE: Final = "taken.zip"
FILES_MAX: Final = 5_000  # a front end has a hundred; a folder of node_modules is a mistake
COMMITS_MAX: Final = 500
LEFT_OUT: Final = ("__pycache__", "node_modules")
LICENCES: Final = ("LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING")
_SUBJECT: Final = "%H%x1f%cs%x1f%s"
_IMPORT: Final = re.compile(r"^\s*(?:from|import) isthmus\b", re.MULTILINE)

Files = dict[str, bytes]


class AlreadyTaken(errors.Conflict):
    """There is a copy already."""

    slug = "copies.already-taken"


class NothingTaken(errors.NotFound):
    """Nothing was taken along here, or it cannot be read."""

    slug = "copies.nothing-taken"


class TooManyFiles(errors.BadAsk):
    """A folder has more files than a front end has."""

    slug = "copies.too-many-files"


class Provenance(Value):
    """Where a copy is from. commit: nothing where it was in no checkout. digest: of all files, as they were taken.

    capabilities: the contracts that the front end used then, by version. calls: how many recorded calls came along.
    """

    source: str
    package: str
    on: date
    commit: str
    platform: str
    licence: str
    digest: str
    calls: int = 0
    capabilities: dict[str, str] = {}


class Moved(Value):
    """How far one side has moved from what was taken: files that changed, came and went, and lines."""

    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    lines_more: int = 0
    lines_less: int = 0

    @property
    def files(self) -> frozenset[str]:
        """Return all files in which something moved."""
        return frozenset((*self.changed, *self.added, *self.removed))


class Fix(Value):
    """A change of the source since then that the copy does not have, or not all of it."""

    commit: str
    on: str
    subject: str
    files: tuple[str, ...]


class Drift(Value):
    """How far both have moved. behind: per file, how many lines of the source since then the copy does not have.

    fixes: the commits that they came with, where there is a checkout. contracts: capabilities whose version is another
    one now, or that are gone. imports: places where the copy still imports the platform.
    """

    provenance: Provenance
    here: Moved
    there: Moved | None  # None: the source is not there any more
    both: tuple[str, ...] = ()
    behind: dict[str, int] = {}
    fixes: tuple[Fix, ...] = ()
    has_history: bool = False
    contracts: dict[str, tuple[str, str]] = {}
    imports: int = 0


def take(
    root: Path, source: Path, folder: Path, package: str, capabilities: Mapping[str, str], version: str, today: date
) -> Provenance:
    """Copy a folder below root into `folder/package` under its new name, and write down where it is from.

    Raises AlreadyTaken, and TooManyFiles; then nothing is left.
    """
    if (folder / FILE).exists() or (folder / package).exists():
        raise AlreadyTaken(
            f"{folder} has a copy already", remedy=f"move {package} and {FILE} away, or see how far it has moved"
        )
    dotted = ".".join(source.relative_to(root).parts)
    files = _read(source, dotted, package)
    licence = next((path for place in (source, root) for name in LICENCES if (path := place / name).is_file()), None)
    found = Provenance(
        source=source.relative_to(root).as_posix(),
        package=package,
        on=today,
        commit=commit_of(root),
        platform=version,
        licence=licence_of(root, licence),
        digest=digest_of(files),
        capabilities=dict(sorted(capabilities.items())),
    )
    for name, content in files.items():
        path = folder / package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if licence and not (folder / package / licence.name).exists():
        (folder / f"{licence.name}.{source.name}").write_bytes(licence.read_bytes())
    with zipfile.ZipFile(folder / BASE, "w", zipfile.ZIP_DEFLATED) as base:
        for name, content in sorted(files.items()):
            base.writestr(zipfile.ZipInfo(name), content)
    note(folder, found)
    return found


def note(folder: Path, found: Provenance, file: str = FILE) -> None:
    """Write down where a copy is from."""
    compares = "`isthmus venture drift` compares with it; leave both files as they are" if file == FILE else "as it was"
    head = f"# Where this code is from; {compares}.\n"
    lines = [f"{name} = {_toml(value)}" for name, value in msgspec.to_builtins(found).items() if name != "capabilities"]
    versions = [f'"{name}" = "{version}"' for name, version in found.capabilities.items()]
    text = "\n".join([*lines, "", "[capabilities]", *versions])
    (folder / file).write_text(f"{head}{text}\n", encoding="utf-8")


def provenance(folder: Path, file: str = FILE) -> Provenance:
    """Return where a copy is from. Raises NothingTaken."""
    try:
        return msgspec.convert(tomllib.loads((folder / file).read_text(encoding="utf-8")), Provenance, strict=False)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        raise NothingTaken(
            f"{folder / file} does not say where code is from: {wrong}", remedy="isthmus venture take writes it"
        ) from None


def drift(root: Path, folder: Path, capabilities: Mapping[str, str]) -> Drift:
    """Return how far a copy and its source have moved since it was taken. Raises NothingTaken."""
    known = provenance(folder)
    base = _taken(folder, known)
    here = _read(folder / known.package, known.package, known.package)
    moved = _moved(base, here)
    contracts = {
        name: (version, capabilities.get(name, ""))
        for name, version in known.capabilities.items()
        if capabilities.get(name, "") != version
    }
    imports = sum(len(_IMPORT.findall(_text(content))) for name, content in here.items() if name.endswith(".py"))
    source = root / known.source
    if not source.is_dir():
        return Drift(provenance=known, here=moved, there=None, contracts=contracts, imports=imports)
    there = _read(source, ".".join(Path(known.source).parts), known.package)
    away = _moved(base, there)
    fixes = _fixes(root, known, base, here, there)
    return Drift(
        provenance=known,
        here=moved,
        there=away,
        both=tuple(sorted(moved.files & away.files)),
        behind=dict(sorted(_behind(base, here, there).items())),
        fixes=tuple(fixes or ()),
        has_history=fixes is not None,
        contracts=contracts,
        imports=imports,
    )


def _read(folder: Path, was: str, package: str) -> Files:
    """Return the files of a folder, with the package's new name in its code."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    named = {path.relative_to(folder).as_posix(): path for path in paths}
    kept = {
        name: path
        for name, path in named.items()
        if not any(part in LEFT_OUT or part.startswith(".") for part in Path(name).parts)
    }
    if len(kept) > FILES_MAX:
        raise TooManyFiles(f"{folder} has {len(kept)} files", remedy=f"leave out what is built; {FILES_MAX} are taken")
    return {
        name: _renamed(path.read_text(encoding="utf-8"), was, package).encode()
        if name.endswith(".py")
        else path.read_bytes()
        for name, path in kept.items()
    }


def _renamed(text: str, was: str, package: str) -> str:
    above, _, last = was.rpartition(".")
    if above:
        text = re.sub(rf"\bfrom {re.escape(above)} import {re.escape(last)}\b", f"import {package} as {last}", text)
    return re.sub(rf"\b{re.escape(was)}\b", package, text) if above else text


def _taken(folder: Path, known: Provenance) -> Files:
    try:
        with zipfile.ZipFile(folder / BASE) as base:
            files = {name: base.read(name) for name in base.namelist()}
    except (OSError, zipfile.BadZipFile) as wrong:
        raise NothingTaken(f"{folder / BASE} cannot be read: {wrong}", remedy="bring it back from history") from None
    if digest_of(files) != known.digest:
        raise NothingTaken(
            f"{folder / BASE} is not what {FILE} says was taken", remedy="bring both back from history as they were"
        )
    return files


def digest_of(files: Files) -> str:
    """Return a hash of files and their names."""
    return hashlib.sha256(encode({name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)})).hexdigest()


def _text(content: bytes) -> str:
    """Return what is text, and nothing for what is none."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return ""


def _lines(files: Files, name: str) -> list[str]:
    return _text(files.get(name, b"")).splitlines()


def _moved(base: Files, side: Files) -> Moved:
    changed = tuple(sorted(name for name in base.keys() & side.keys() if base[name] != side[name]))
    added, removed = sorted(side.keys() - base.keys()), sorted(base.keys() - side.keys())
    marks = [
        line[0]
        for name in (*changed, *added, *removed)
        for line in [*difflib.unified_diff(_lines(base, name), _lines(side, name), n=0)][2:]
        if line[0] in "+-"
    ]
    return Moved(
        changed=changed, added=tuple(added), removed=tuple(removed), lines_more=marks.count("+"),
        lines_less=marks.count("-"),
    )  # fmt: skip


def _behind(base: Files, here: Files, there: Files) -> dict[str, int]:
    """Return per file how many lines the source has got since then that the copy does not have."""
    found = dict[str, int]()
    for name in there:
        if name in base and name not in here:
            continue  # it was left out here
        was, own = set(_lines(base, name)), set(_lines(here, name))
        count = sum(bool(line.strip()) and line not in was and line not in own for line in _lines(there, name))
        if count:
            found[name] = count
    return found


def _fixes(root: Path, known: Provenance, base: Files, here: Files, there: Files) -> list[Fix] | None:
    """Return the commits since then of which the copy lacks something; None where no history says."""
    if not known.commit:
        return None
    try:
        since = (f"{known.commit}..HEAD", "--", known.source)
        log = _git(root, "log", "--no-merges", f"-{COMMITS_MAX}", f"--format={_SUBJECT}", *since)
        commits = [tuple(line.split("\x1f")) for line in log.splitlines()]
        patches = [_git(root, "show", "--format=", "--unified=0", one, "--", known.source) for one, _, _ in commits]
    except (OSError, subprocess.SubprocessError):
        return None
    found = list[Fix]()
    for (commit, on, subject), patch in zip(commits, patches, strict=True):
        lacking = [name for name, more, less in _hunks(patch, known) if _lacks(name, more, less, base, here, there)]
        if lacking:
            found.append(Fix(commit=commit[:12], on=on, subject=subject, files=tuple(sorted(lacking))))
    return found


def _hunks(patch: str, known: Provenance) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each file of a patch, as it is called in the copy, with the lines that came and went."""
    dotted = ".".join(Path(known.source).parts)
    for part in re.split(r"^diff --git .*\n", patch, flags=re.MULTILINE)[1:]:
        names = re.search(r"^(?:\+\+\+ b|--- a)/(.*)$", part, re.MULTILINE)
        if not names or known.source not in names[1]:
            continue
        body = [_renamed(line, dotted, known.package) for line in part.splitlines()]
        body = [line for line in body if not line.startswith(("+++", "---"))]
        more, less = ([line[1:] for line in body if line.startswith(mark)] for mark in "+-")
        yield names[1].partition(f"{known.source}/")[2], more, less


def _lacks(name: str, more: list[str], less: list[str], base: Files, here: Files, there: Files) -> bool:
    """Return whether the copy is without what came and still stands at the source, or has what went and is gone."""
    if name in base and name not in here:
        return False
    own, now = set(_lines(here, name)), set(_lines(there, name))
    came = any(line.strip() and line in now and line not in own for line in more)
    return came or any(line.strip() and line in own and line not in now for line in less)


def commit_of(root: Path) -> str:
    """Return the commit of a checkout; nothing where it is none."""
    try:
        return _git(root, "rev-parse", "HEAD").strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(root: Path, *args: str) -> str:
    ran = subprocess.run(["git", "-C", str(root), *args], check=True, capture_output=True, timeout=60)
    return ran.stdout.decode(errors="replace")


def licence_of(root: Path, file: Path | None) -> str:
    """Return the name of the licence: what the project says, or the first line of its text."""
    project: dict[str, Any] = {}
    if (root / "pyproject.toml").is_file():
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    said = project.get("license")
    if isinstance(said, str):
        return said
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n") if file else []
    return next((line.strip()[:120] for line in lines if line.strip()), "")


def _toml(value: object) -> str:
    is_day = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)
    return str(value) if is_day else encode(value).decode()
