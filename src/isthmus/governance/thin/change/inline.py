"""Make the only answer to a question the platform's own, and ask no more: it is what everybody has.

The answer is written as the point's default first; then the point goes as one that nobody answers (`unasked`).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import Pack
from isthmus.kernel.host import Answer
from isthmus.runtime.deploy.loading import MANIFEST

from . import parts, removing
from .code import ByHand, Source, parameters_of, with_body
from .delete import check_unused, declared
from .moved import Renaming
from .named import Code, Mention
from .seam import Change
from .unasked import delete_point


def inline_answer(code: Code, pack: Pack, answer: Answer, folders: Mapping[str, Path]) -> Change:
    """Return the change that asks a question no more, whose only answer all have. Raises ByHand."""
    path = Path(inspect.getsourcefile(inspect.unwrap(answer.function)) or "").resolve()
    if path not in code.texts:
        raise ByHand(f"{answer.label} is not in {code.root}", remedy="only code of this checkout is changed")
    _, api_path, word = declared(code, pack, answer.point.name)
    _as_default(code, api_path, word, path, answer.name)
    touched = _unlist(code, path, answer, [(one / MANIFEST).resolve() for one in folders.values()])
    target = f"{code.module(path).name}.{answer.name}"
    tests = removing.remove_tests(code, target)
    check_unused(code, target, answer.label)
    removing.drop_imports(code, target)
    removing.sweep(code, removing.remove(code, path, {answer.name}), [path])
    change = delete_point(code, pack, answer.point)
    gone = [f"tests that went along: {', '.join(tests)}"] if tests else []
    own = [one for one in folders.values() if (one / MANIFEST).resolve() in touched]
    return replace(
        change,
        title=f"Do what {answer.name} says without asking {answer.point.name}",
        folders=(*change.folders, *own, *({path.parent} - {one.resolve() for one in own})),
        notes=(f"{answer.label} was its only answer, and everybody's who asked", *gone, *change.notes),
    )


def _as_default(code: Code, api_path: Path, word: str, path: Path, name: str) -> None:
    """Let the default of a point say what an answer says, with what it names brought along. Raises ByHand."""
    own = Source(path, code.module(path).name, code.texts[path])
    api = Source(api_path, code.module(api_path).name, code.texts[api_path])
    function, default = own.function(name), api.function(word)
    if function is None or default is None:
        raise ByHand(f"{name} is no function at the top of {own.name}", remedy="write it there")
    here: dict[str, str] = {}
    for said, mention in code.names(path, {name}):
        place = code.definition(code.home(said))
        if place is not None and place[0] == api_path:
            here[mention.text] = place[1]
    renamed = dict(zip(parameters_of(function), parameters_of(default), strict=True))
    begin = 1 if function.get_docstring() is not None else 0
    says = [cast(Any, one.visit(Renaming({**here, **renamed})))
            for one in list(cast(cst.IndentedBlock, function.body).body)[begin:]]  # fmt: skip
    used = {cast(cst.Name, one).value for line in says for one in m.findall(line, m.Name())} - set(here.values())
    parts.bring(used - set(renamed.values()), own, api)
    now = api.function(word)
    assert now is not None
    documented = function if begin else now
    first = list(cast(cst.IndentedBlock, documented.body).body)[: 1 if documented.get_docstring() is not None else 0]
    api.replace(now, with_body(now, [*first, *says]))
    code.texts[api_path] = api.text()


def _unlist(code: Code, path: Path, answer: Answer, manifests: list[Path]) -> set[Path]:
    """Take an answer out of what lists it: manifests of front ends, or a product, which goes when that was all."""
    target = f"{code.module(path).name}.{answer.name}"
    touched: set[Path] = set()
    for one in _listing(code, target):
        removing.remove_elements(code, one.file, {one.text})
        touched.add(one.file)
        product = f"{code.module(one.file).name}.{one.within}"
        if one.file in manifests or not one.within or _has_answers(code, one):
            continue
        tests = [use for use in removing.uses(code, one.file, one.within) if use.file not in manifests]
        if tests:
            raise ByHand(f"{code.where(tests[0])} names the product {one.within}", remedy="take that out first")
        for use in removing.uses(code, one.file, one.within):
            removing.remove_elements(code, use.file, {use.text})
            touched.add(use.file)
        removing.drop_imports(code, product)
        removing.remove(code, one.file, {one.within})
    return touched


def _listing(code: Code, target: str) -> list[Mention]:
    path, word = code.definition(target) or (Path(), "")
    return [one for one in removing.uses(code, path, word) if not code.is_test(one.file)]


def _has_answers(code: Code, listed: Mention) -> bool:
    """Tell whether a product has answers still."""
    tree = cst.parse_module(code.texts[listed.file])
    held = [line for line in tree.body if removing.defines(line, {listed.within})]
    return bool(m.findall(held[0], m.Arg(keyword=m.Name("answers")))) if held else True
