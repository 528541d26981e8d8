"""Let what several front ends answer alike become one product that they switch on."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import libcst as cst
from libcst import matchers as m

from isthmus.kernel import errors
from isthmus.kernel.host import Answer

from . import parts
from .code import ByHand, Source, parameters_of, statements, with_body
from .seam import Change
from .words import Ref

FUTURE: Final = "from __future__ import annotations"


def sink(answers: Sequence[Answer], folders: Mapping[str, Path], root: Path, name: str) -> Change:
    """Return the change that makes a product of answers that do the same: the first one's code stays. Raises ByHand.

    folders: of the front ends, by code. name: of the product, such as `half-price`.
    """
    first = answers[0]
    if any(one.when != first.when or one.applies or one.stage for one in answers):
        raise ByHand("they answer under other conditions", remedy="make the product by hand")
    home = _products(root)
    module = name.replace("-", "_")
    path = home / f"{module}.py"
    if path.exists():
        raise errors.Conflict(f"there is {path} already", remedy="choose another name")
    package = ".".join(home.relative_to(_import_root(home)).parts)
    product = Source(
        path, f"{package}.{module}", f'"""{_title(name)}: what several front ends answered alike."""\n\n{FUTURE}\n'
    )
    written: dict[Path, str] = {}
    for one in answers:
        own, function = _source(one, folders[one.owner.partition(".")[0]])
        own.tree = cast(cst.Module, own.tree.deep_remove(function))
        used = {cast(cst.Name, name).value for name in m.findall(function, m.Name())} - {one.name}
        if one is first:
            product.append(own.tree.code_for_node(function.with_changes(leading_lines=[])))
            parts.bring(used, own, product)
        parts.forget(used, own)
        switched = Ref(module=product.name, name=module.upper())
        manifest = parts.unlisted(own.path.parent, one.name, switched)
        written |= {own.path: own.text(), manifest.path: manifest.text()}
        written |= _tests(own.path.parent, own.path.stem, one.name, Ref(module=product.name, name=first.name))
    doc = (inspect.getdoc(inspect.unwrap(first.function)) or _title(name)).splitlines()[0]
    product.append(
        f"{module.upper()} = {product.need('isthmus.kernel', 'Product')}(\n"
        f'    name="{name}",\n    doc="{doc}",\n    owner="{first.point.pack} team",\n    answers=({first.name},),\n)\n'
    )
    return Change(
        name=name,
        title=f"Make {name} a product of {len(answers)} front ends",
        platform={path: product.text()},
        front_end=written,
        folders=(home, *(folders[one.owner.partition(".")[0]] for one in answers)),
    )


def reuse(answer: Answer, shared: Answer, folder: Path) -> Change:
    """Return the change by which a front end's answer says what a product's does, where it did. Raises ByHand."""
    own, function = _source(answer, folder)
    used = {cast(cst.Name, name).value for name in m.findall(function.body, m.Name())}
    says = own.reach(Ref(module=inspect.unwrap(shared.function).__module__, name=shared.name))
    begin = 1 if function.get_docstring() is not None else 0
    body = list(cast(cst.IndentedBlock, function.body).body)
    line = statements(f"return {says}({', '.join(parameters_of(function))})\n")
    own.replace(function, with_body(function, [*body[:begin], *line]))
    parts.forget(used, own)
    return Change(
        name=f"{answer.name.replace('_', '-')}",
        title=f"Let {answer.label} say what {shared.label} says",
        platform={},
        front_end={own.path: own.text()},
        folders=(folder,),
    )


def _tests(folder: Path, module: str, name: str, shared: Ref) -> dict[Path, str]:
    """Return a front end's tests of an answer as tests of the product's."""
    found: dict[Path, str] = {}
    for path in sorted(folder.glob("test_*.py")):
        test = parts.front_end_source(folder, path.name)
        named = m.findall(test.tree, m.Attribute(m.Name(module), m.Name(name)))
        for one in named:
            test.replace(one, cst.parse_expression(test.reach(shared)))
        if named:
            found[path] = test.text()
    return found


def _source(answer: Answer, folder: Path) -> tuple[Source, cst.FunctionDef]:
    path = Path(inspect.getsourcefile(inspect.unwrap(answer.function)) or "")
    own = parts.front_end_source(folder, path.name)
    function = own.function(answer.name)
    if function is None:
        raise ByHand(f"{answer.name} is no function of {path.name}", remedy="write it at the top of the module")
    return own, function


def _products(root: Path) -> Path:
    """Return the folder of products of the checkout. Raises ByHand."""
    found = sorted([*root.glob("*/products/__init__.py"), *root.glob("src/*/products/__init__.py")])
    if not found:
        raise ByHand(f"no folder below {root} has products", remedy="make one: `isthmus new product NAME`")
    return found[0].parent


def _import_root(folder: Path) -> Path:
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return folder


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()
