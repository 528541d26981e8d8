"""Make a new part of a company's own from the templates beside this file; each part runs, and its test passes, as made.

A template's text has `$name` and its like; `_name_` in a path is the name.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from isthmus.app.config import Config
from isthmus.kernel import errors

_CODE = re.compile(r"[a-z][a-z0-9]{0,31}")
_SUFFIX = ".tmpl"


class FolderExists(errors.Conflict):
    """There is a file or folder of this name already."""

    slug = "runtime.folder-exists"


class WrongCode(errors.BadAsk):
    """This cannot be the name of a part."""

    slug = "runtime.wrong-code"


class NoPlatform(errors.NotFound):
    """Here is no platform of a company's own."""

    slug = "runtime.no-platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was made: its folder or file first, and every file."""

    place: Path
    files: tuple[Path, ...]


def platform(parent: Path, name: str) -> Made:
    """Make the project of a company's own platform in a new folder. Raises WrongCode, FolderExists."""
    folder = parent / _checked(name)
    if folder.exists():
        raise _exists(folder)
    return Made(place=folder, files=_written("platform", folder, _words(name)))


def front_end(parent: Path, name: str, owner: str) -> Made:
    """Make a front end's folder: a manifest, one answer, a test, a README. Raises WrongCode, FolderExists."""
    folder = parent / _checked(name)
    if folder.exists():
        raise _exists(folder)
    return Made(place=folder, files=_written("front-end", folder, {**_words(name), "owner": owner}))


def pack(config: Config, name: str, owner: str) -> Made:
    """Make a pack with a table, two capabilities, a point, an event, a metric, demo data, a guide and a test.

    Raises WrongCode, FolderExists, and NoPlatform where this is no company's project.
    """
    return _part(config, "packs", name, {"owner": owner}, "pack")


def product(config: Config, name: str, owner: str) -> Made:
    """Make a product with one answer, a test and a guide. Raises what `pack` raises."""
    return _part(config, "products", name, {"owner": owner}, "product")


def provider(config: Config, name: str, owner: str, kind: str = "payment") -> Made:
    """Make a provider of a kind, with a guide and the tests that every one of that kind has to pass.

    Raises what `pack` raises.
    """
    return _part(config, "providers", name, {"owner": owner, "kind": kind}, f"provider-{kind}", "provider")


def _part(config: Config, folder: str, name: str, words: Mapping[str, str], *templates: str) -> Made:
    company = _company(config)
    package = company / folder
    place = package / _checked(name)
    for taken in (place, place.with_suffix(".py")):
        if taken.exists():
            raise _exists(taken)
    words = {**_words(name), **words, "package": f"{company.name}.{folder}.{name}"}
    found = {path: text for template in templates for path, text in _templates(template).items()}
    tests = {path: text for path, text in found.items() if path.startswith("tests/")}
    files = _laid_out({path: text for path, text in found.items() if path not in tests}, package, words)
    files += _laid_out(tests, config.root, words)
    return Made(place=place if place.is_dir() else place.with_suffix(".py"), files=files)


def _company(config: Config) -> Path:
    """Return the folder of the company's own packages: the one in the project that has `packs` in it."""
    found = sorted(path.parent for path in config.root.glob("*/packs") if (path / "__init__.py").is_file())
    if not found:
        raise NoPlatform(
            f"no folder below {config.root} has packs of a company's own",
            remedy="make a project with `isthmus new platform NAME`, and run this inside it",
        )
    return found[0]


def _checked(name: str) -> str:
    if not _CODE.fullmatch(name):
        raise WrongCode(
            f"{name!r} cannot be a name", remedy="use 1 to 32 lower-case letters and digits, a letter first"
        )
    return name


def _exists(place: Path) -> FolderExists:
    return FolderExists(f"{place} is already there", remedy="choose another name, or remove it")


def _words(name: str) -> dict[str, str]:
    title = name.title()
    return {"name": name, "kebab": name, "Title": title, "Camel": title, "CONSTANT": name.upper()}


def _written(template: str, folder: Path, words: Mapping[str, str]) -> tuple[Path, ...]:
    return _laid_out(_templates(template), folder, words)


def _laid_out(templates: Mapping[str, str], folder: Path, words: Mapping[str, str]) -> tuple[Path, ...]:
    made: list[Path] = []
    for path, text in templates.items():
        file = folder / path.replace("_name_", words["name"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(text).substitute(words))
        made.append(file)
    return tuple(made)


def _templates(template: str) -> dict[str, str]:
    """Return the texts of a template by their path below it."""
    root = importlib.resources.files("isthmus.cli") / "templates" / template
    return {path.removesuffix(_SUFFIX): file.read_text(encoding="utf-8") for path, file in _below(root, "")}


def _below(folder: Traversable, above: str) -> Iterator[tuple[str, Traversable]]:
    for one in sorted(folder.iterdir(), key=lambda found: found.name):
        if one.is_dir():
            yield from _below(one, f"{above}{one.name}/")
        elif one.name.endswith(_SUFFIX):
            yield f"{above}{one.name}", one
