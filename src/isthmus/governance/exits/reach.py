"""The code that a pack reaches, and the same code under the name of a package that stands alone.

What is reached is read from imports, also from those inside functions; nothing is run. Beside a module go the files
that it may read (SQL, texts, catalogues of translations), not its neighbours' code.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from isthmus.kernel import Pack, Value, errors

from .given import own_resources

PLATFORM: Final = "isthmus"
SERVICE: Final = "isthmus.governance.exits.served"
AGAIN: Final = "isthmus.governance.exits.again"  # its test
DATA: Final = ("migrations", "locale")  # folders below a package that its code reads
_LOCATOR: Final = re.compile(r"(?P<quote>['\"])(?P<place>[a-z_][\w.]*)(?P<rest>:[a-z_]\w*)(?P=quote)")
_LEFT_OUT: Final = (".py", ".pyc")


class Reached(Value):
    """What a pack reaches. modules: files, by module. needs: versions of distributions, by name."""

    modules: dict[str, str]
    needs: dict[str, str]

    @property
    def lines(self) -> int:
        """Return how many lines of code these are."""
        return sum(Path(file).read_text(encoding="utf-8").count("\n") for file in self.modules.values())


def reached(pack: Pack) -> Reached:
    """Return the code that a pack's contract and implementations reach, and that of the service that runs them."""
    roots = [pack.api.__name__, *(one.__name__ for one in pack.service), SERVICE, AGAIN, *_of_resources(pack)]
    tops = {PLATFORM, pack.api.__name__.partition(".")[0]}
    modules: dict[str, str] = {}
    outside: set[str] = set()
    waiting = [*roots, *([pack.migrations.partition(":")[0]] if pack.migrations else [])]
    while waiting:
        name = waiting.pop()
        if name in modules or (file := _file(name)) is None:
            continue
        modules[name] = str(file)
        for one in _imported(name, file):
            top = one.partition(".")[0]
            if top in tops:
                waiting += [one, *_parents(one)]
            else:
                outside.add(top)
    return Reached(modules=dict(sorted(modules.items())), needs=_distributions(outside - sys.stdlib_module_names))


def copied(found: Reached, package: str) -> Mapping[str, bytes]:
    """Return the files of what was reached, by path below the package that they become part of."""
    files: dict[str, bytes] = {}
    tops = {name.partition(".")[0] for name in found.modules}
    for name, file in found.modules.items():
        path = Path(file)
        text = path.read_text(encoding="utf-8")
        files[_place(name, path)] = renamed(text, package, tops).encode()
        for beside in _beside(path):
            files[f"{_place(name, path).rpartition('/')[0]}/{beside.relative_to(path.parent).as_posix()}"] = (
                beside.read_bytes()
            )
    return dict(sorted(files.items()))


def renamed(text: str, package: str, tops: Iterable[str]) -> str:
    """Return code whose absolute imports, and texts such as "shop.packs.till:migrations", name the package's copy."""
    known = set(tops)
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").partition(".")[0] in known:
            at = node.lineno - 1
            lines[at] = lines[at].replace(f"from {node.module}", f"from {package}.{node.module}", 1)
    return "".join(_relocated("".join(lines), package, known))


def place_of(named: Any) -> str:
    """Return where a class or a function is, as `module:NAME`. Raises Fault for one that has no place in a module."""
    place: str = f"{named.__module__}:{named.__qualname__}"
    if not place.rpartition(":")[2].isidentifier():
        raise errors.Fault(f"{place} is in no module by a name of its own", remedy="write it as a function of a module")
    return place


def _of_resources(pack: Pack) -> Iterator[str]:
    """Yield the modules in which there is what makes the pack's own resources."""
    for one in own_resources(pack):
        yield from (place_of(named).partition(":")[0] for named in (one.make, one.settings, one.kind))
        yield from (place.partition(":")[0] for place in one.built_in.values())
        if one.in_shadow is not None:
            yield place_of(one.in_shadow).partition(":")[0]


def _relocated(text: str, package: str, tops: set[str]) -> Iterator[str]:
    """Yield code whose texts that name a place in a package name the copy."""
    at = 0
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        found = _LOCATOR.fullmatch(token.string) if token.type == tokenize.STRING else None
        if found and found["place"].partition(".")[0] in tops:
            begins, ends = (starts[row - 1] + column for row, column in (token.start, token.end))
            yield f"{text[at:begins]}{found['quote']}{package}.{found['place']}{found['rest']}{found['quote']}"
            at = ends
    yield text[at:]


@functools.cache  # packs share most of what they reach, and all of them are looked at together
def _imported(name: str, file: Path) -> tuple[str, ...]:
    return tuple(_imports(name, file))


def _imports(name: str, file: Path) -> Iterator[str]:
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{one.name}" for one in node.names if one.name != "*")


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts)))


def _file(name: str) -> Path | None:
    """Return where a module's code is; None for what is no module, such as a name in one."""
    loaded = sys.modules.get(name)
    if isinstance(loaded, ModuleType):
        return Path(loaded.__file__) if loaded.__file__ else None
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # its parent is a module and no package
        return None
    return Path(found.origin) if found and found.origin and found.origin.endswith(".py") else None


def _place(name: str, file: Path) -> str:
    path = name.replace(".", "/")
    return f"{path}/__init__.py" if file.name == "__init__.py" else f"{path}.py"


def _beside(file: Path) -> Iterator[Path]:
    """Yield what a package reads beside its code: files, and folders of SQL and translations."""
    if file.name != "__init__.py":
        return
    yield from (one for one in sorted(file.parent.iterdir()) if one.is_file() and one.suffix not in _LEFT_OUT)
    for folder in DATA:
        yield from (one for one in sorted((file.parent / folder).rglob("*")) if one.is_file() and one.suffix != ".pyc")


def _distributions(modules: Iterable[str]) -> dict[str, str]:
    known = _installed()
    names = sorted({known[one][0] for one in modules if known.get(one)})
    return {name: metadata.version(name) for name in names}


@functools.cache
def _installed() -> Mapping[str, Sequence[str]]:
    """Return which distributions bring a module. All that is installed is read for it: once."""
    return metadata.packages_distributions()
