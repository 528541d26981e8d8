"""Who may import whom. The contracts of pyproject.toml are broken here on purpose, so that none holds of nothing."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Set
from pathlib import Path

import pytest

from .tree import ROOT, SRC, imports, module_name, parsed, resolved_imports, sources, where

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
NAMES = {contract["id"]: contract["name"] for contract in CONTRACTS}

# file → what it would have to import for a contract to break
PLANTED = {
    "layers": ("values.py", "from isthmus.store import Database"),
    "packs": ("packs/{one}/rules.py", "from isthmus.packs.{other} import api as other"),
    "doors": ("flows/planted.py", "from isthmus.packs.{one} import storage"),
    "data": ("data/lake/lake.py", "from isthmus.data.answers import metrics"),
    "domains": ("store/planted.py", "from isthmus.packs.{one} import api"),
}


@pytest.fixture(scope="module")
def linted(tmp_path_factory) -> str:
    """Give what the linter says of a copy of the source in which every contract is broken once."""
    folder: Path = tmp_path_factory.mktemp("house")
    copy = folder / "src" / "isthmus"
    shutil.copytree(SRC, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    one, other = sorted(path.parent.name for path in SRC.glob("packs/*/rules.py"))[:2]
    for file, line in PLANTED.values():
        with (copy / file.format(one=one)).open("a") as source:
            source.write("\n" + line.format(one=one, other=other) + "\n")
    run = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as lint; lint()"
    command = [sys.executable, "-c", run, "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("contract", sorted(NAMES))
def test_each_contract_breaks_where_it_should(linted, contract):
    assert f"{NAMES[contract]} BROKEN" in linted, linted


def test_the_contracts_name_every_part_of_the_house():
    modules = [path for path in SRC.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    parts = {f"isthmus.{path.stem}" for path in modules} - {"isthmus.__init__"}
    by_id = {contract["id"]: contract for contract in CONTRACTS}
    assert by_id["layers"]["exhaustive"], "a new part must be given its place"
    lower = {
        "isthmus.kernel",
        "isthmus.checks",
        "isthmus.outside",
        "isthmus.places",
        "isthmus.values",
        "isthmus.markings",
        "isthmus.language",
        "isthmus.later",
        "isthmus.screens",
        "isthmus.personal",
        "isthmus.sealing",
        "isthmus.store",
        "isthmus.data",
    }
    assert parts - lower - {"isthmus.packs"} == set(by_id["doors"]["source_modules"])
    upper = {"isthmus.flows", "isthmus.packs", "isthmus.products", "isthmus.testing"}
    assert parts - upper == set(by_id["domains"]["source_modules"])


def test_the_kernel_imports_the_standard_library_and_msgspec_and_nothing_else():
    every = ((path, *found) for path in sources(SRC / "kernel") for found in imports(parsed(path)))
    found = {(name.partition(".")[0], where(path, line)) for path, name, line in every}
    assert "msgspec" in {name for name, _ in found}
    assert [(name, place) for name, place in found if name != "msgspec" and name not in sys.stdlib_module_names] == []


FRONT_ENDS_MAY = (
    "isthmus.kernel", "isthmus.manifest", "isthmus.values", "isthmus.markings", "isthmus.products", "isthmus.screens",
)  # fmt: skip


def test_front_ends_see_the_kernel_the_values_the_apis_and_products_only():
    wrong = []
    for path in sources(ROOT / "front_ends"):
        own = path.relative_to(ROOT).parts[:2]  # a front end's tests name it as everybody does from outside
        for name, line in imports(parsed(path)):
            parts = name.split(".")
            is_own_test = path.name.startswith("test_") and tuple(parts[:2]) == own
            is_api = parts[:2] in (["isthmus", "packs"], ["isthmus", "flows"]) and "api" in parts[3:4]
            is_allowed = name.startswith(FRONT_ENDS_MAY) or is_api
            if (parts[0] == "isthmus" and not is_allowed) or (parts[0] == "front_ends" and not is_own_test):
                wrong.append(f"{where(path, line)} imports {name}")
    assert wrong == []


HERE = {path.name for path in ROOT.iterdir() if path.is_dir()} | {"isthmus"}  # what a checkout has on the path


def imported_from_the_house(folder: Path) -> list[str]:
    """Return where a folder's files import what is neither of the folder nor installed by itself."""
    wrong = []
    for path in sources(folder):
        climbs = [node.lineno for node in ast.walk(parsed(path)) if isinstance(node, ast.ImportFrom) and node.level > 1]
        ours = [line for name, line in imports(parsed(path)) if name.partition(".")[0] in HERE]
        wrong += [where(path, line) for line in (*climbs, *ours)]
    return wrong


def test_a_shop_is_a_client_of_the_api_and_imports_its_own_folder_and_the_kit_only():
    shops = sorted(ROOT.glob("front_ends/*/shop"))
    assert shops
    assert [line for shop in shops for line in imported_from_the_house(shop)] == []


def test_a_kit_imports_nothing_of_the_platform_and_of_no_front_end():
    kits = sorted(path.parent for path in ROOT.glob("kits/*/src/*/__init__.py"))
    assert kits
    assert [line for kit in kits for line in imported_from_the_house(kit)] == []


def test_a_kit_needs_what_it_imports_and_has_a_version_of_its_own():
    for file in ROOT.glob("kits/*/pyproject.toml"):
        project = tomllib.loads(file.read_text())["project"]
        needed = {re.split(r"[^a-z0-9-]", one)[0] for one in project["dependencies"]} | {"markupsafe"}  # jinja2's own
        found = {name.partition(".")[0] for path in sources(file.parent) for name, _ in imports(parsed(path))}
        assert found - set(sys.stdlib_module_names) <= needed
        assert project["version"] in (file.parent / "CHANGELOG.md").read_text()


def test_ventures_import_nothing_of_the_platform():
    found = [(where(path, line), name) for path in sources(ROOT / "ventures") for name, line in imports(parsed(path))]
    assert [one for one in found if one[1].startswith("isthmus")] == []


RANKS = {"api": 0, "rules": 1, "storage": 2, "service": 3, "pack": 4}  # rows become the values that rules decide over


def pack_part(path: Path) -> tuple[Path, str]:
    """Return a pack's folder, and which of its parts a file belongs to: `service` for `service/orders.py`."""
    pack, flow = SRC / "packs", SRC / "flows"
    top = pack if path.is_relative_to(pack) else flow
    name, *rest = path.relative_to(top).with_suffix("").parts
    return top / name, rest[0] if rest else ""


def test_inside_a_pack_imports_point_from_the_manifest_to_the_api():
    wrong = []
    for path in sources(SRC / "packs"):
        folder, own = pack_part(path)
        package = ".".join(folder.relative_to(SRC.parent).parts)
        for name, line in resolved_imports(path):
            other = name.removeprefix(package + ".").partition(".")[0]
            if own not in RANKS or not name.startswith(package + ".") or other not in RANKS:
                continue
            if RANKS[other] > RANKS[own]:
                wrong.append(f"{where(path, line)} imports {other}")
    assert wrong == []


def test_nothing_is_imported_by_a_star():
    stars = [where(path, line) for path in sources(SRC) for name, line in imports(parsed(path)) if name.endswith(".*")]
    assert stars == []


def imported_modules(path: Path, known: Set[str]) -> set[str]:
    """Return the modules that a file imports anywhere, in a function or for its types only too."""
    names = {name if name in known else name.rpartition(".")[0] for name, _ in resolved_imports(path)}
    return names & known - {module_name(path)}


def circles(graph: Mapping[str, Set[str]]) -> list[tuple[str, ...]]:
    """Return the groups of modules each of which leads to itself by way of the others."""
    reached = {one: set(imported) for one, imported in graph.items()}
    for via in graph:  # Warshall: afterwards all that a module leads to, however far
        for one, found in reached.items():
            if via in found:
                reached[one] = found | reached[via]
    in_circles = {one for one, found in reached.items() if one in found}
    return sorted({tuple(sorted(o for o in in_circles & reached[one] if one in reached[o])) for one in in_circles})


def test_no_module_imports_itself_by_way_of_others():
    """Imports for types only and those inside functions count too: who reads one file has to read the other."""
    named = {module_name(path): path for path in sources(SRC)}
    assert circles({name: imported_modules(path, named.keys()) for name, path in named.items()}) == []


def test_a_circle_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [("b", "c")]
    known = {module_name(path) for path in sources(SRC)}
    assert imported_modules(SRC / "kernel" / "ports.py", known) == {"isthmus.kernel.contract"}
    assert "isthmus.app.lake_sync" in imported_modules(SRC / "app" / "server.py", known), "one inside a function"
