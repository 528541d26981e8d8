"""What imports cannot show: names, sizes, tables, words, and that nothing is said that is not so."""

from __future__ import annotations

import ast
import importlib
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from isthmus import kernel
from isthmus.kernel import FrontEnd, Pack, Registry, errors
from isthmus.kernel.host import kebab
from isthmus.runtime.deploy.loading import front_end_folders, load_front_end

from . import debt
from .tree import ROOT, SRC, functions, packs, parsed, sources, texts, tracked, where, words

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
OURS = (SRC, ROOT / "front_ends", ROOT / "kits", ROOT / "demo")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
PACK_LINES_MAX = 1_200  # of code, as with the kernel: what documents it is not counted
KERNEL_LINES_MAX = 2_000
KERNEL_NAMES_MAX = 30


def ours() -> list[FrontEnd]:
    """Return the front ends that ship with the platform."""
    return [load_front_end(folder) for folder in front_end_folders(ROOT / "front_ends")]


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_files_can_be_read_at_one_sitting():
    large = {where(path): lines(path) for folder in OURS for path in sources(folder)}
    large = {name: size for name, size in large.items() if size > debt.FILE_LINES.get(name, FILE_LINES_MAX)}
    assert large == {}, f"split what has more than {FILE_LINES_MAX} lines"


def test_functions_can_be_seen_at_once():
    long = {}
    for folder in OURS:
        for path in sources(folder):
            for function in functions(path):
                size = (function.end_lineno or 0) - function.lineno + 1
                if size > FUNCTION_LINES_MAX:
                    long[f"{where(path, function.lineno)} {function.name}"] = size
    assert long == {}, f"a function has at most {FUNCTION_LINES_MAX} lines"


def domain_lines(pack: Path) -> int:
    """Count what works in a domain: manifest, pages, commands, demo data are not read to know what it does."""
    surfaces = ("pack", "__init__", "commands", "demo")
    counted = (path for path in sources(pack) if path.stem not in surfaces and "pages" not in path.parts)
    return sum(map(code_lines, counted))


def test_packs_stay_small():
    sizes = {path.parent.name: domain_lines(path.parent) for path in SRC.glob("packs/*/pack.py")}
    assert {name: size for name, size in sizes.items() if size > debt.PACK_LINES.get(name, PACK_LINES_MAX)} == {}


def test_debts_that_are_paid_are_struck_off():
    for name in debt.FILE_LINES:
        assert (ROOT / name).exists(), f"{name} is gone: strike it off"
        assert lines(ROOT / name) > FILE_LINES_MAX, f"{name} is small enough now: strike it off"


def test_types_are_checked_everywhere_and_unknown_ones_let_through_in_few_folders_only():
    """Whoever makes a folder whole strikes it off in both places."""
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["basedpyright"]
    assert {"src", "front_ends", "kits/storefront/src", "tests", "demo", "bench"} == set(checked["include"])
    assert checked["typeCheckingMode"] == "strict"
    assert not [rule for rule in checked if rule.startswith("reportUnknown")]
    loose = {one["root"] for one in checked["executionEnvironments"]}
    assert loose - {"tests", "demo", "bench"} == debt.UNTYPED


def code_lines(path: Path) -> int:
    """Count the lines of code, without blank ones, comments and docstrings."""
    documented = {
        line
        for node in ast.walk(parsed(path))
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    numbered = enumerate(path.read_text().splitlines(), 1)
    return sum(1 for at, line in numbered if at not in documented and line.strip() and line.strip()[0] != "#")


def test_the_kernel_is_small():
    doors = {SRC / "kernel" / name for name in ("__init__.py", "host.py")}  # names, and no code
    files = [path for path in sources(SRC / "kernel") if path not in doors]
    assert sum(map(code_lines, files)) <= max(KERNEL_LINES_MAX, debt.KERNEL_LINES)
    assert max(map(lines, files)) <= FILE_LINES_MAX


def test_the_map_of_the_house_names_what_is_there_and_all_of_the_kernel():
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    named = [one.removeprefix("src/isthmus/") for one in re.findall(r"`((?:kernel|src/isthmus)/[\w./]*)`", text)]
    assert named
    assert [one for one in named if not (SRC / one).exists()] == []
    of_kernel = {path.relative_to(SRC) for path in sources(SRC / "kernel")}
    covered = {
        path for path in of_kernel if any(str(path).startswith(one) for one in named if one.startswith("kernel/"))
    }
    assert {str(path) for path in of_kernel - covered if path.name != "__init__.py"} == set()


def test_the_kernels_public_list_is_short_and_true():
    assert len(kernel.__all__) <= KERNEL_NAMES_MAX
    assert kernel.__all__ == sorted(kernel.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    imported = {
        alias.asname or alias.name
        for node in parsed(SRC / "kernel" / "__init__.py").body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == set(kernel.__all__)


def test_everything_that_packs_declare_fits_together():
    """Names that do not derive both ways, missing documentation or implementations: all of it stops a release."""
    assert packs()
    Registry().add(*packs()).freeze()


def test_every_extension_point_has_two_real_answers_or_a_day_on_which_it_goes():
    answered: dict[str, set[str]] = {}
    for front_end in ours():
        own = [(front_end.code, answer) for part in (front_end, *front_end.children) for answer in part.answers]
        bundled = [(product.name, answer) for product in front_end.products for answer in product.answers]
        for owner, answer in (*own, *bundled):
            answered.setdefault(answer.point.name, set()).add(owner)
    points = [point for pack in packs() for point in pack.extension_points().values()]
    lonely = [one.name for one in points if len(answered.get(one.name, ())) < 2 and one.until is None]
    assert lonely == [], "a point lives by its use: two who answer, or until=date(...)"


def test_every_product_is_switched_on_by_two_front_ends():
    used = [product.name for front_end in ours() for product in set(front_end.products)]
    declared = {product.name for front_end in ours() for product in front_end.products}
    assert declared == {name for name in declared if used.count(name) >= 2}
    assert len(declared) == len([path for path in SRC.glob("products/*.py") if path.name != "__init__.py"])


def test_every_capability_and_extension_point_is_named_by_a_test():
    folders = [ROOT / "tests", *ROOT.glob("front_ends/*/tests")]
    written = [path for folder in folders for path in sources(folder) if "house" not in path.relative_to(ROOT).parts]
    text = "\n".join(path.read_text() for path in written)
    spoken = set(re.findall(r"[a-z][a-z0-9_]*", text)) | set(re.findall(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*", text))
    untested = [
        found.name
        for pack in packs()
        if pack.name not in debt.UNTESTED
        for python_name, found in [*pack.capabilities().items(), *pack.extension_points().items()]
        if python_name not in spoken and found.name not in spoken
    ]
    assert untested == []


def pack_modules(pack: Pack) -> list[ModuleType]:
    """Return every module of a pack or of a set of flows, whatever folder it lies in."""
    package = pack.api.__name__.removesuffix(".api")
    folder = SRC.parent / package.replace(".", "/")
    inside = (path.relative_to(SRC.parent).with_suffix("").parts for path in sources(folder))
    return [importlib.import_module(".".join(parts).removesuffix(".__init__")) for parts in inside]


def test_errors_are_called_as_their_classes_are():
    wrong = []
    for pack in packs():
        for module in pack_modules(pack):
            for name, found in vars(module).items():
                is_error = isinstance(found, type) and issubclass(found, errors.IsthmusError)
                if not is_error or found.__module__ != module.__name__ or name.startswith("_"):
                    continue
                right = f"{pack.name}.{kebab(name)}"
                if found.slug != right:
                    wrong.append(f"{found.__module__}.{name} has slug {found.slug!r}; make it {right!r}")
                assert found.__doc__, f"{found.__module__}.{name} says nothing"
    assert wrong == []


PACK_FILES = {"api", "rules", "service", "storage", "entities", "pack", "commands", "pages", "migrations", "locale"}
PACK_FILES |= {"demo", "guide", "guide.zh_CN"}  # with which it is tried, and what those who use it read


def test_every_pack_has_the_same_names():
    """A file, or a folder by subject, of these names; whoever knows one pack finds his way in the next."""
    folders = [path.parent for path in [*SRC.glob("packs/*/pack.py"), *SRC.glob("flows/*/pack.py")]]
    inside = [path for folder in folders for path in folder.iterdir() if path.name != "__pycache__"]
    unknown = [where(path) for path in inside if path.stem not in {*PACK_FILES, "__init__"}]
    assert sorted(unknown) == sorted(debt.PACK_FILES)


TABLE = re.compile(
    r"\b(?:from|join|into|update|table|references|on|truncate)\s+(?:only\s+)?([a-z_]+)\.([a-z_]+)\b(?!\s*\()", re.I
)


def statements(pack: Path) -> list[tuple[str, str]]:
    found = [(text, where(path, line)) for path in sources(pack) for text, line in texts(parsed(path))]
    return found + [(path.read_text(), where(path)) for path in pack.glob("migrations/*.sql")]


@pytest.mark.parametrize("pack", sorted(path.parent.name for path in SRC.glob("packs/*/pack.py")))
def test_a_pack_names_its_own_tables_only(pack):
    known = {path.parent.name.replace("-", "_") for path in SRC.glob("packs/*/pack.py")}
    known |= {path.name for path in SRC.glob("flows/*") if path.is_dir()} | {"gateway", "runtime", "data"}
    wrong = [
        f"{place} names {schema}.{table}"
        for text, place in statements(SRC / "packs" / pack)
        for schema, table in TABLE.findall(text)
        if schema.lower() in known - {pack}
    ]
    assert wrong == []


def front_end_codes() -> set[str]:
    return {path.parent.name for path in [*ROOT.glob("front_ends/*/front_end.py"), *ROOT.glob("ventures/*/README.md")]}


def named(tree: ast.Module, codes: set[str]) -> list[int]:
    """Return the lines on which code distinguishes by a front end: a comparison, a key, an argument, a filter."""
    found: list[int] = []
    for node in ast.walk(tree):
        inside: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            inside = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue) or (
            isinstance(node, ast.keyword) and node.arg in ("front_end", "code", "caller")
        ):
            inside = [node.value]
        constants = (part for one in inside for part in ast.walk(one) if isinstance(part, ast.Constant))
        found += [part.lineno for part in constants if part.value in codes]
    sql = re.compile(rf"front_end\s*(?:=|<>|!=|in\s*\()\s*'({'|'.join(sorted(codes))})'", re.I)
    return found + [line for text, line in texts(tree) if sql.search(text)]


def test_nothing_under_src_names_a_front_end():
    codes = front_end_codes() or {"north"}
    wrong = [where(path, line) for path in sources(SRC) for line in named(parsed(path), codes)]
    assert wrong == []


@pytest.mark.parametrize(
    "code",
    [
        "if ctx.front_end == 'north': pass",
        "if front_end in ('south', 'north'): pass",
        "match code:\n    case 'north': pass",
        "f(front_end='north')",
        "SQL = \"select 1 from t where front_end = 'north'\"",
    ],
)
def test_a_front_end_that_is_named_would_be_found(code):
    assert named(ast.parse(code), {"north"})


SERVING = ("app", "cli", "console", "data", "gateway", "governance", "kernel", "runtime", "store", "manifest")


def packs_named(path: Path) -> int:
    """Count the strings of a file that name something of a pack or a flow, such as `order.list-orders`."""
    some = re.compile(rf"\b(?:{'|'.join(pack.name for pack in packs())})\.(?:\*|[a-z][a-z_-]+)")
    return sum(len(some.findall(text)) for text, _ in texts(parsed(path)))


def test_what_serves_every_domain_names_no_pack_by_string_either():
    """What is left is a debt that shrinks: pages that are still the console's, and examples in help."""
    files = [one for part in SERVING for one in (sources(SRC / part) if (SRC / part).is_dir() else [SRC / part])]
    found = {where(path): packs_named(path) for path in files}
    assert {name: count for name, count in found.items() if count} == debt.PACKS_NAMED


FORBIDDEN = {"manager", "helper", "helpers", "util", "utils", "common", "base", "abstract", "processor", "handler"}
FORBIDDEN |= {"engine", "impl", "dto", "vo"}

PRIVATE = {  # a word of ours → the field's
    "doomed": "rollback_only",
    "trail": "saga log",
    "undo_with": "compensate_with",
    "wish": "deploy request",
    "miscounted": "amounts mismatch",
    "misshared": "shares mismatch",
    "overtaken": "superseded",
    "nought": "zero",
    "told": "traced, event-triggered, subscribers, audit entry, or what it holds",
    "untold": "unmeasured",
    "tell": "trace, send, emit",
    "telling": "tracing, delivering",
    "story": "trace",
    "stories": "traces",
    "look_ahead": "tombstone",
    "dual": "lake sync",
    "strangers": "unknown keys",
    "drawn": "priced cart, or what it holds",
    "parted": "split, separated",
    "mend": "fix, repair",
    "chance": "randomness",
    "gathering": "coalescing transport",
    "at_work": "active, in flight, running",
}
ALL_CODE = (SRC, ROOT / "front_ends", ROOT / "kits", ROOT / "demo", ROOT / "bench", ROOT / "examples", ROOT / "tests")


def private_names(source: str) -> list[tuple[str, int, str]]:
    """Return every name in some code that is ours and not the field's: what it defines, names and calls, local or not.

    The names of tests are sentences, and read as such.
    """
    found: list[tuple[str, int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and not token.string.startswith("test_"):
            said = {*words(token.string), token.string.lower().strip("_")} & PRIVATE.keys()
            found += [(token.string, token.start[0], PRIVATE[word]) for word in said]
    return found


def defined_names(path: Path) -> list[tuple[str, int]]:
    """Return what a file defines, its own name included."""
    names = [(path.stem, 0)]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.append((node.name, node.lineno))
    return names


def test_names_say_what_a_thing_is():
    defined = [(path, *found) for path in sources(SRC) for found in defined_names(path)]
    wrong = [f"{where(path, line)} {name}" for path, name, line in defined if FORBIDDEN & set(words(name))]
    assert wrong == []


def test_names_are_the_fields_words_and_no_dialect():
    files = [path for folder in ALL_CODE for path in sources(folder)]
    stems = [f"{where(path)}: say {PRIVATE[word]!r}" for path in files for word in {*words(path.stem)} & PRIVATE.keys()]
    names = [
        f"{where(path, line)} {name}: say {field!r}"
        for path in files
        for name, line, field in private_names(path.read_text())
    ]
    assert stems + names == []


@pytest.mark.parametrize(
    "code",
    ["def told(): pass", "told = 1", "f(tell=1)", "x.is_told", "class Told: pass", "def f(wish): pass", "f.AT_WORK"],
)
def test_a_word_of_ours_would_be_found(code: str) -> None:
    assert private_names(code)


KERNEL_DOORS = {"isthmus.kernel", "isthmus.kernel.host"}


def test_the_kernel_has_two_doors():
    """`isthmus.kernel` for authors, `isthmus.kernel.host` for servers, stores and tools; nobody else goes past them."""
    folders = [SRC, ROOT / "front_ends", ROOT / "kits", ROOT / "demo", ROOT / "bench", ROOT / "tests"]
    outside = [path for folder in folders for path in sources(folder) if "kernel" not in path.relative_to(ROOT).parts]
    past = [
        f"{where(path, node.lineno)} {node.module}"
        for path in outside
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("isthmus.kernel")
        if node.module not in KERNEL_DOORS
    ]
    assert past == []


WRITTEN = {".py", ".md", ".toml", ".sql", ".html", ".css", ".js", ".json", ".sh", ""}


def test_nothing_names_a_place_on_somebodys_machine_or_is_left_to_do():
    private = re.compile(r"(?<![\w.~-])/(?:work|root|home/[a-z]+|tmp/brief|opt/pypi[\w-]*)/")
    undone = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
    wrong = []
    for path in tracked():
        if path.suffix not in WRITTEN or "house" in path.relative_to(ROOT).parts:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if private.search(line) or (undone.search(line) and path.suffix == ".py"):
                wrong.append(f"{where(path, number)}: {line.strip()[:80]}")
    assert wrong == []


EXAMPLE = re.compile(r"^```python(?P<how>[^\n]*)\n(?P<code>.*?)^```", re.M | re.S)
DOCUMENTS = [path for path in tracked() if path.suffix == ".md"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=where)
def test_python_in_documents_is_python_and_what_says_run_runs(path):
    """All blocks must parse; those that open with ```python run are run together, one after the other."""
    text = path.read_text()
    for found in EXAMPLE.finditer(text):
        line = text[: found.start()].count("\n") + 1
        compile("\n" * line + found["code"], str(path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = "\n".join(found["code"] for found in EXAMPLE.finditer(text) if found["how"].strip() == "run")
    if running:
        ran = subprocess.run([sys.executable, "-c", running], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr


def test_some_document_has_an_example_that_runs():
    assert any("```python run" in path.read_text() for path in DOCUMENTS)
