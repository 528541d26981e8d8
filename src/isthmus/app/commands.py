"""The commands that packs bring, read from the text of their manifests: a page of help waits for the import of none."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from isthmus.kernel import Pack
from isthmus.manifest import Commands

from .config import Config

MANIFEST: Final = "pack"  # the module of a pack's folder that holds its manifest
GIVEN: Final = {one.name for one in fields(Commands)}
NEEDED: Final = {"name", "help", "at"}


def written_commands(config: Config) -> list[Commands]:
    """Return the groups of commands that manifests write out, of the packs and flows that the settings name."""
    if (root := str(config.root)) not in sys.path:
        sys.path.append(root)  # a company's own packs lie beside its settings
    files = dict.fromkeys(file for name in (*config.packs, *config.flows) for file in _manifests(name))
    texts = (file.read_text(encoding="utf-8") for file in files)
    return [one for text in texts if "Commands(" in text for one in _written(text, config.leave_out)]


def unwritten(brought: Iterable[Commands], config: Config) -> Iterator[str]:
    """Say which commands a manifest brings without writing them out, each with what to write."""
    written = written_commands(config)
    for one in [one for one in brought if one not in written]:
        yield (
            f"no manifest writes out the commands {one.name!r} at {one.at!r}, and help reads manifests as text; "
            f"write Commands(name={one.name!r}, help=…, at={one.at!r}) in the pack's manifest, each value in quotes"
        )


def _manifests(name: str) -> Iterator[Path]:
    """Return the files that hold the manifests of one entry of the settings; none where it is wrong, as start says."""
    try:
        spec = importlib.util.find_spec(name.partition(":")[0])
    except (ImportError, SyntaxError):
        return
    if spec is None or spec.origin is None:
        return
    if spec.submodule_search_locations is None:
        yield Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        yield from sorted(Path(folder).rglob(f"{MANIFEST}.py"))


def _written(text: str, left_out: Sequence[str]) -> Iterator[Commands]:
    try:
        calls = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Call)]
    except SyntaxError:  # said at start
        return
    names = [_given(call).get("name") for call in calls if _makes(call, Pack)]
    if not names or set(names) - set(left_out):
        found = (_given(call) for call in calls if _makes(call, Commands))
        yield from (Commands(**one) for one in found if NEEDED <= one.keys() <= GIVEN)


def _makes(call: ast.Call, kind: type) -> bool:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return called == kind.__name__


def _given(call: ast.Call) -> dict[str, Any]:
    """Return what is given by name, as far as it is written out."""
    return {one.arg: one.value.value for one in call.keywords if one.arg and isinstance(one.value, ast.Constant)}
