"""Take out what nobody needs: an answer without an opinion, a setting without a reader, a capability that nobody calls.

What only that had named goes with it: types, rules, statements, constants, imports and tests. Where something else
names it, or a test is the only one of something that stays, the change is refused with the place.
"""

from __future__ import annotations

import inspect
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from isthmus.kernel import Pack
from isthmus.kernel.host import Answer
from isthmus.runtime.deploy.loading import MANIFEST

from . import removing
from .code import ByHand
from .named import Code, Mention, module_name
from .seam import Change
from .tree import git

TEXTS: Final = (".md", ".toml", ".cedar", ".html", ".js", ".mjs", ".ts", ".tsx", ".dart", ".kt", ".swift", ".yml")
TEST_FILES_MAX: Final = 6  # that are run: those of a pack itself, not all that use it
GENERATED: Final = ("docs/reference/", "contracts/", "CHANGELOG.md", "node_modules/")  # written anew, or of the past


def delete_answer(code: Code, answer: Answer, folder: Path) -> Change:
    """Return the change that takes an answer out of a front end. Raises ByHand."""
    path = Path(inspect.getsourcefile(inspect.unwrap(answer.function)) or "").resolve()
    if path not in code.texts:
        raise ByHand(f"{answer.label} is not in {code.root}", remedy="delete it where its code is")
    target = f"{code.module(path).name}.{answer.name}"
    manifest = (folder / MANIFEST).resolve()
    listed = [one for one in _uses(code, target) if one.file == manifest]
    check_unused(code, target, answer.label, but=listed)
    tests = removing.remove_tests(code, target)
    removing.remove_elements(code, manifest, {one.text for one in listed})
    check_unused(code, target, answer.label)
    removing.drop_imports(code, target)
    removing.sweep(code, removing.remove(code, path, {answer.name}), [folder.resolve()])
    return change_of(code, answer.label, f"Delete {answer.label}, which changes nothing", [folder], tests)


def delete_setting(code: Code, key: str, folders: Sequence[Path]) -> Change:
    """Return the change that takes a setting that nobody reads out of the front ends that have it. Raises ByHand."""
    for folder in folders:
        manifest = (folder / MANIFEST).resolve()
        if not removing.remove_key(code, manifest, "settings", key):
            raise ByHand(f"{manifest} does not write {key!r} in its settings", remedy="delete it where it is written")
    return change_of(code, key, f"Delete setting {key}, which nobody reads", folders, [])


def delete_capability(code: Code, pack: Pack, name: str) -> Change:
    """Return the change that takes a capability out of a pack, with what only it used. Raises ByHand."""
    if len(pack.capabilities()) == 1:
        raise ByHand(
            f"{name} is the only capability of {pack.name}",
            remedy=f'leave the pack out: `[platform] leave_out = ["{pack.name}"]`',
        )
    target, path, word = declared(code, pack, name)
    folder = folder_of(pack)
    by = [one for one in _uses(code, target) if one.is_decorator and one.file.is_relative_to(folder)]
    done = [one for one in by if not removing.uses(code, one.file, one.within)]
    check_unused(code, target, name, but=done)
    _check_tests(code, target, folder.name)
    tests = removing.remove_tests(code, target, lambda one: is_declared(code, one, folder))
    remove_uses(code, name)
    used = {one for mention in done for one in removing.remove(code, mention.file, {mention.within})}
    check_unused(code, target, name)
    said = list(said_elsewhere(code, name, folder))
    removing.drop_imports(code, target)
    removing.sweep(code, used | removing.remove(code, path, {word}), [folder])
    return change_of(code, name, f"Delete {name}, which nobody calls", [folder], tests, said)


def declared(code: Code, pack: Pack, name: str) -> tuple[str, Path, str]:
    """Return a capability or point of a pack as it is named in code, with its file and word. Raises ByHand."""
    python = name.partition(".")[2].replace("-", "_")
    target = code.home(f"{pack.api.__name__}.{python}")
    found = code.definition(target)
    if found is None:
        raise ByHand(f"{name} is not declared in {code.root}", remedy="only code of this checkout is changed")
    return target, *found


def folder_of(pack: Pack) -> Path:
    """Return the folder of a pack. Raises ByHand for one that the platform makes at its start."""
    if getattr(pack.api, "__file__", None) is None:
        raise ByHand(f"{pack.name} is made when the platform starts", remedy="only code of this checkout is changed")
    path = Path(pack.api.__file__ or ".").resolve()
    return path.parent.parent if path.name == "__init__.py" else path.parent


def _uses(code: Code, target: str) -> list[Mention]:
    path, word = code.definition(target) or (Path(), "")
    return removing.uses(code, path, word)


def check_unused(code: Code, target: str, what: str, but: Sequence[Mention] | None = None) -> None:
    """Raise ByHand where something is still named. but: what goes too; where it is given, tests go as well."""
    left = _uses(code, target)
    if but is not None:
        left = [one for one in left if one not in but and not code.is_test(one.file)]
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        raise ByHand(f"{code.where(left[0])}{more} names {what}", remedy="let that do without it first")


def _check_tests(code: Code, target: str, pack: str) -> None:
    """Raise ByHand where a test of something else names it: that test is of what it tells, and begins with this."""
    for one in _uses(code, target):
        if pack not in str(one.file.relative_to(code.root)):
            raise ByHand(f"{code.where(one)} is no test of {pack}, and names it", remedy="let that do without it first")


def is_declared(code: Code, name: str, folder: Path) -> bool:
    """Tell whether a name is a capability or point of the pack: what is called for, and so needs a test."""
    found = code.definition(name)
    if found is None or not found[0].is_relative_to(folder):
        return False
    decorators = getattr(code.module(found[0]).defined[found[1]], "decorator_list", ())
    return any(
        getattr(getattr(one, "func", one), "id", "") in ("capability", "flow", "extension_point") for one in decorators
    )


def remove_uses(code: Code, name: str) -> None:
    """Take a capability out of what front ends say they use."""
    for path, text in list(code.texts.items()):
        if path.name == MANIFEST and f'"{name}"' in text:
            removing.remove_elements(code, path, {f'"{name}"'}, "uses")


def said_elsewhere(code: Code, name: str, folder: Path) -> Iterator[str]:
    """Yield where documents still say a name; a row of the pack's own guide goes. Raises ByHand where code says it."""
    for path in _texts(code.root):
        lines = path.read_text().splitlines(keepends=True)
        at = [number for number, line in enumerate(lines) if name in line.replace(f"{name}-", "")]
        if not at:
            continue
        if path.suffix != ".md":
            raise ByHand(
                f"{path.relative_to(code.root)}:{at[0] + 1} names {name}", remedy="let that do without it first"
            )
        rows = [number for number in at if path.is_relative_to(folder) and _is_row_of(lines[number], name)]
        if rows:
            code.texts[path] = "".join(line for number, line in enumerate(lines) if number not in rows)
        yield from (f"{path.relative_to(code.root)}:{number + 1} still names it" for number in at if number not in rows)


def _is_row_of(line: str, name: str) -> bool:
    """Tell whether a line is a row of a table about this alone."""
    return line.startswith("|") and line.count(f"`{name.partition('.')[0]}.") == 1


def _texts(root: Path) -> Iterator[Path]:
    try:
        paths = [Path(line) for line in git(root, "ls-files").splitlines()]
    except (OSError, subprocess.CalledProcessError):
        paths = [one.relative_to(root) for one in root.rglob("*") if one.is_file()]
    for path in paths:
        is_left = str(path).startswith(GENERATED) or any(part.startswith(".") for part in path.parts)
        if path.suffix in TEXTS and not is_left and (root / path).is_file():
            yield root / path


def tests_of(code: Code, folders: Sequence[Path]) -> list[Path]:
    """Return the test files of what is changed: those that import from it, those called like it first."""
    packages = [module_name(one.resolve() / "__init__.py") for one in folders]

    def imports(path: Path) -> bool:
        brought = code.module(path).brought.values()
        return any(f"{name}.".startswith(f"{package}.") for name in brought for package in packages)

    words = [one.name for one in folders]
    found = [path for path, text in code.texts.items() if path.name.startswith("test_")
             and any(word in text for word in words) and imports(path)]  # fmt: skip
    found.sort(key=lambda path: (not any(word in str(path) for word in words), path))
    return found[:TEST_FILES_MAX]


def change_of(
    code: Code, name: str, title: str, folders: Sequence[Path], tests: Sequence[str], said: Sequence[str] = ()
) -> Change:
    removing.drop_unused_imports(code)
    gone = f"tests that went along: {', '.join(tests)}"
    return Change(
        name=name,
        title=title,
        platform=code.written,
        front_end={},
        folders=tuple(folders),
        gone=code.gone,
        tests=tuple(tests_of(code, folders)),
        notes=(*([gone] if tests else []), *said),
    )
