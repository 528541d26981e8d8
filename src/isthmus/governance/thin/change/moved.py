"""Let a capability that one front end alone calls become that front end's own: with its types, rules and tests.

`till.label` is `south.label` then, in a file of the front end. What works on rows of the pack stays there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import libcst as cst

from isthmus.kernel import Pack
from isthmus.runtime.deploy.loading import MANIFEST

from . import parts, removing
from .code import CONTEXT, ByHand, Source
from .delete import check_unused, declared, folder_of, remove_uses, said_elsewhere, tests_of
from .named import Code
from .seam import Change
from .words import Ref

ITS_OWN: Final = ("session", "emit", "acting_for", "as_of", "compensate_with")  # of the context: what a pack alone does


@dataclass(frozen=True, slots=True)
class Moved:
    """A definition that goes along, as `word` of a file."""

    path: Path
    word: str


def move_capability(code: Code, pack: Pack, name: str, front_end: str, folder: Path) -> Change:
    """Return the change that makes a capability of a pack the front end's own. Raises ByHand."""
    if len(pack.capabilities()) == 1:
        raise ByHand(
            f"{name} is the only capability of {pack.name}", remedy="make the whole pack the front end's by hand"
        )
    target, path, word = declared(code, pack, name)
    inside = folder_of(pack)
    by = [one for one in removing.uses(code, path, word) if one.is_decorator and one.file.is_relative_to(inside)]
    done = [one for one in by if not removing.uses(code, one.file, one.within)]
    check_unused(code, target, name, but=done)
    if len(done) != 1:
        raise ByHand(f"{name} is implemented in {len(done)} places", remedy="lift it by hand")
    implementation = Moved(done[0].file, done[0].within)
    moved = _along(code, [Moved(path, word), implementation], inside)
    _check_context(code, implementation, moved, pack, front_end)
    new = (folder / f"{word}.py").resolve()
    if new.exists():
        raise ByHand(f"there is {new.relative_to(code.root)} already", remedy="rename that, or lift it by hand")
    if len({one.word for one in moved[:-1]}) < len(moved) - 1:
        raise ByHand(f"{name} uses two things of one name", remedy="lift it by hand")
    does = f"do_{word}" if implementation.word in {one.word for one in moved[:-1]} else implementation.word
    own = f"{front_end}.{name.partition('.')[2]}"
    said = list(said_elsewhere(code, name, inside))
    code.texts[new] = _written(code, moved, new, folder, pack, does).replace(f'"{name}"', f'"{own}"')
    home = f"{folder.parent.name}.{folder.name}.{word}"
    _tests(code, moved, home)
    manifest = (folder / MANIFEST).resolve()
    code.texts[manifest] = _listed(folder, word, does)
    remove_uses(code, name)
    used: set[str] = set()
    for one in moved:
        removing.drop_imports(code, f"{code.module(one.path).name}.{one.word}")
    for one in moved:
        used |= removing.remove(code, one.path, {one.word})
    removing.sweep(code, used, [inside])
    removing.drop_unused_imports(code)
    return Change(
        name=own,
        title=f"Make {name} a capability of {front_end}'s own",
        platform=code.written,
        front_end={},
        folders=(inside, folder),
        gone=code.gone,
        tests=tuple(tests_of(code, [inside, folder])),
        notes=(f"{front_end}'s clients call {own} from now on", *said),
        renamed=(name, own),
    )


def _check_context(code: Code, implementation: Moved, moved: list[Moved], pack: Pack, front_end: str) -> None:
    """Raise ByHand where an implementation does what only a pack may do, with what to do about its rows."""
    made = code.module(implementation.path).defined[implementation.word]
    for node in ast.walk(made):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        if node.value.id == CONTEXT and node.attr in ITS_OWN:
            where = f"{implementation.path.relative_to(code.root)}:{node.lineno}"
            remedy = "lift it by hand: with rows of the front end's own, or with a capability that reads those"
            if node.attr == "session" and (tables := _tables(code, pack, _reached(code, implementation, pack))):
                remedy = _rows(code, tables, moved, pack, front_end)
            raise ByHand(f"{where} uses {CONTEXT}.{node.attr}, so it works on what is {pack.name}'s", remedy=remedy)


def _rows(code: Code, tables: set[str], moved: list[Moved], pack: Pack, front_end: str) -> str:
    """Return what to do about the rows that a capability works on: they are its alone, or others need them too."""
    for path in sorted(one for one in code.texts if one.is_relative_to(folder_of(pack)) and not code.is_test(one)):
        for word in code.module(path).defined:
            others = set[str]() if Moved(path, word) in moved else _tables(code, pack, {Moved(path, word)}) & tables
            if others:
                table, where = min(others), f"{path.relative_to(code.root)}, {word}"
                return f"{where} works on {table} too: keep it here, or split {table} first"
    named = ", ".join(sorted(tables))
    return (
        f"nothing else works on {named}: make tables of {front_end}'s own (`migrations/` in its folder), copy its rows "
        f"there by a migration, let it read those, and lift it then"
    )


def _reached(code: Code, implementation: Moved, pack: Pack) -> set[Moved]:
    """Return the definitions of the pack that an implementation comes to."""
    inside, found, waiting = folder_of(pack), set[Moved](), [implementation]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            places = (code.definition(name) for name in code.used_by(one.path, {one.word}))
            waiting += [Moved(*place) for place in places if place is not None and place[0].is_relative_to(inside)]
    return found


def _tables(code: Code, pack: Pack, definitions: set[Moved]) -> set[str]:
    """Return the tables of the pack that the SQL in these definitions names."""
    named = re.compile(
        rf"\b(?:from|into|update|join)\s+({re.escape(pack.name.replace('-', '_'))}\.[a-z_]+)", re.IGNORECASE
    )
    texts = (
        node.value
        for one in definitions
        for node in ast.walk(code.module(one.path).defined[one.word])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {table for text in texts for table in named.findall(text)}


def _along(code: Code, first: list[Moved], inside: Path) -> list[Moved]:
    """Return these definitions with all of the pack that only they use, each before what uses it."""
    found = list(first)
    more = True
    while more:
        more = False
        for one in list(found):
            for name in sorted(code.used_by(one.path, {one.word})):
                place = code.definition(name)
                if place is None or not place[0].is_relative_to(inside) or Moved(*place) in found:
                    continue
                users = [use for use in removing.uses(code, *place) if not code.is_test(use.file)]
                is_declared = bool(getattr(code.module(place[0]).defined[place[1]], "decorator_list", None))
                if not is_declared and all(Moved(use.file, use.within) in found for use in users):
                    found.insert(0, Moved(*place))
                    more = True
    return sorted(found, key=lambda one: (one == first[1], one == first[0], _rank(code, one)))


def _rank(code: Code, one: Moved) -> tuple[bool, bool, str, int]:
    """Return where a definition stands in a file: constants, then types, then the rest as they stood."""
    made = code.module(one.path).defined[one.word]
    is_constant = isinstance(made, ast.Assign | ast.AnnAssign)
    return not is_constant, not isinstance(made, ast.ClassDef), str(one.path), made.lineno


def _written(code: Code, moved: list[Moved], new: Path, folder: Path, pack: Pack, does: str) -> str:
    """Return the file of the front end that has the definitions. does: what the last is called there. Raises ByHand."""
    module = f"{folder.parent.name}.{folder.name}.{new.stem}"
    doc = (pack.capabilities()[new.stem].doc or new.stem).splitlines()[0]
    source = Source(new, module, f'"""{doc}"""\n\nfrom __future__ import annotations\n')
    for one in moved:
        tree = cst.parse_module(code.texts[one.path])
        (node,) = [cast(Any, line) for line in tree.body if removing.defines(line, {one.word})]
        plain = node.with_changes(leading_lines=[line for line in node.leading_lines if line.comment])
        written = plain.visit(Renaming(dict(_words(code, one, moved, source, pack))))
        if one == moved[-1]:
            written = written.with_changes(name=cst.Name(does))
        source.append(tree.code_for_node(written))
    return source.text()


def _words(code: Code, one: Moved, moved: list[Moved], source: Source, pack: Pack) -> Iterator[tuple[str, str]]:
    """Yield each name of a definition with how it is written in another file. Raises ByHand."""
    package, inside = pack.api.__name__.rpartition(".api")[0], folder_of(pack)
    module = code.module(one.path)
    for name, mention in code.names(one.path, {one.word}):
        place = code.definition(code.home(name))
        first = mention.text.partition(".")[0]
        if place is not None and Moved(*place) in moved:
            yield mention.text, ".".join([place[1], *_rest(code, name, place)])
        elif place is not None and place[0].is_relative_to(inside):
            if ".api." not in f"{code.module(place[0]).name}.":
                raise ByHand(
                    f"{code.where(mention)} uses {place[1]}, which {pack.name} needs too",
                    remedy="give each its own, or lift it by hand",
                )
            said = source.reach(Ref(module=f"{package}.api", name=place[1]))
            yield mention.text, ".".join([said, *_rest(code, name, place)])
        elif first in module.brought:
            base, _, plain = module.brought[first].rpartition(".")
            if base:
                source._imports.append((base, plain, first if first != plain else None))


def _rest(code: Code, name: str, place: tuple[Path, str]) -> list[str]:
    """Return the attributes of a definition that a name goes on with."""
    home = f"{code.module(place[0]).name}.{place[1]}"
    return [one for one in code.home(name).removeprefix(home).split(".") if one]


def _tests(code: Code, moved: list[Moved], home: str) -> None:
    """Let tests that name what moved name it where it is now."""
    said: dict[Path, dict[str, str]] = {}
    sources: dict[Path, Source] = {}
    for one in moved:
        for use in removing.uses(code, one.path, one.word):
            if code.is_test(use.file):
                source = sources.setdefault(
                    use.file, Source(use.file, code.module(use.file).name, code.texts[use.file])
                )
                said.setdefault(use.file, {})[use.text] = source.reach(Ref(module=home, name=one.word))
    for path, words in said.items():
        sources[path].tree = sources[path].tree.visit(Renaming(words))
        code.texts[path] = sources[path].text()


def _listed(folder: Path, word: str, implementation: str) -> str:
    manifest = parts.front_end_source(folder, MANIFEST)
    for keyword, text in (("capabilities", f"{word}.{word}"), ("implementations", f"{word}.{implementation}")):
        parts.add_element(manifest, keyword, text)
    parts.bring_beside(manifest, word)
    return manifest.text()


class Renaming(cst.CSTTransformer):
    """Writes names otherwise, longest first; names of attributes and keywords stay."""

    def __init__(self, said: dict[str, str]) -> None:
        super().__init__()
        self._said = said

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        return _text(node) not in self._said

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> Any:
        found = self._said.get(_text(original_node))
        return cst.parse_expression(found) if found else updated_node.with_changes(attr=original_node.attr)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> Any:
        found = self._said.get(original_node.value)
        return cst.parse_expression(found) if found else updated_node

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> Any:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> Any:
        return updated_node.with_changes(name=original_node.name)

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> Any:
        return original_node


def _text(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)
