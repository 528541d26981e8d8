"""Load a front end from its folder, wherever that lies, without touching the import path."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import isthmus
from isthmus.kernel import FrontEnd, errors

SETTINGS = "isthmus.toml"  # whose folder holds a company's own packs
MANIFEST = "front_end.py"
NAME = "FRONT_END"
PACKAGE = "isthmus_front_end_"

Load = Callable[[Path], FrontEnd]  # from a folder, to answer wherever that front end answers


class NotAFrontEnd(errors.BadAsk):
    """The folder holds no front end."""

    slug = "runtime.not-a-front-end"


def load_front_end(folder: Path) -> FrontEnd:
    """Import a front end's folder as a package of its own and return its manifest.

    The package's name carries the folder's content, so two versions can be loaded side by side and neither
    sees the other's modules. Raises NotAFrontEnd with what is missing.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise NotAFrontEnd(
            f"{folder} has no {MANIFEST}",
            remedy="make one with `isthmus new front-end NAME`, or name the folder that has it",
        )
    package = f"{PACKAGE}{folder.name.replace('-', '_')}_{content_hash(folder)[:12]}"
    try:
        _import_package(package, folder)
        found = getattr(_import_module(f"{package}.front_end", manifest), NAME, None)
    except (ImportError, SyntaxError, NameError, AttributeError, TypeError) as error:
        _forget(package)
        raise NotAFrontEnd(
            f"{manifest} cannot be imported: {error}", remedy="fix the import, then try again"
        ) from error
    if not isinstance(found, FrontEnd):
        raise NotAFrontEnd(f"{manifest} defines no {NAME}", remedy=f"define {NAME} = FrontEnd(code=..., ...)")
    return found


def import_path(*before: Path) -> str:
    """Return the PYTHONPATH of a process that loads a front end: these folders, the platform, a company's own packs."""
    source = Path(isthmus.__file__).parents[1]
    return os.pathsep.join(dict.fromkeys(map(str, (*before, source, *company_folders()))))


def company_folders() -> list[Path]:
    """Return the folders of this process's import path that hold settings: a company's own packs lie beside them."""
    return [Path(one) for one in sys.path if one and Path(one, SETTINGS).is_file()]


def front_end_folders(parent: Path) -> list[Path]:
    """Return the folders below `parent` that hold a front end, by name."""
    return sorted(found.parent for found in parent.glob(f"*/{MANIFEST}"))


def content_hash(folder: Path) -> str:
    """Hash names and contents of a folder's files, caches left out: equal means the same version."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(map(is_left_out, inside.parts)):
            digest.update(inside.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_left_out(part: str) -> bool:
    """Say whether a part of a path keeps a file out of a version: caches, which would run unseen, and hidden files."""
    return part == "__pycache__" or part.startswith(".")


def _import_package(name: str, folder: Path) -> None:
    if name in sys.modules:
        return
    init = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        name, init if init.is_file() else None, submodule_search_locations=[str(folder)]
    )
    if spec is None:
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if spec.loader is not None and init.is_file():
        spec.loader.exec_module(module)


def _import_module(name: str, path: Path) -> object:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]
