"""A change of a front end as code: what is to be written in its folder, as a patch that `git apply` takes."""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from isthmus.kernel import FrontEnd, Product, errors
from isthmus.kernel.host import Answer

from .sets import with_said
from .what_if import Change, answers_of


class NotWritten(errors.RuleBroken):
    """The front end's file is not written in the way that a change can be made in it by rule."""

    slug = "governance.not-written"


def patch(change: Change, front_end: FrontEnd, products: Mapping[str, Product], folder: Path, root: Path) -> str:
    """Return the change as a unified diff of the front end's files, relative to `root`. Raises NotWritten."""
    files: dict[Path, str] = {}
    manifest = folder / "front_end.py"
    if change.answer:
        own = next(one for one in front_end.answers if one.name == change.answer)
        file = _file(own, folder)
        files[file] = _with_when(file.read_text(), own, change.when)
    if change.products is not None or change.point or change.question:
        text = manifest.read_text()
        if change.products is not None:
            text = _with_products(text, [products[name] for name in change.products])
        if change.question:
            text = _with_said(text, change, front_end, products)
        if change.point:
            text = _with_order(text, change, front_end)
        files[manifest] = text
    return "".join(_diff(file, text, root) for file, text in files.items())


def _diff(file: Path, text: str, root: Path) -> str:
    name = file.relative_to(root) if file.is_relative_to(root) else Path(file.name)
    lines = (file.read_text().splitlines(keepends=True), text.splitlines(keepends=True))
    return "".join(difflib.unified_diff(*lines, f"a/{name}", f"b/{name}"))


def _with_products(text: str, products: Sequence[Product]) -> str:
    """Write a list of products, and import those that the file does not know by name."""
    places = [_place(product) for product in products]
    said = f"({', '.join(name for _, name in places)},)" if places else "()"
    return _with_imports(_with_keyword(text, _front_end_call(text), "products", said), places)


def _with_said(text: str, change: Change, front_end: FrontEnd, products: Mapping[str, Product]) -> str:
    """Take out answers that are given no more, from the orders too; write the products where they are others."""
    variant = with_said(front_end, change.question, change.said, products)
    kept = {one.declaration for one in variant.answers}
    for gone in (one.name for one in front_end.answers if one.declaration not in kept):
        text = _without_answer(text, gone)
    if [one.name for one in variant.products] == [one.name for one in front_end.products]:
        return text
    return _with_products(text, variant.products)


def _without_answer(text: str, answer: str) -> str:
    """Take an answer out of the manifest: wherever a list of it names it."""
    while True:
        lists = (node for node in ast.walk(_front_end_call(text)) if isinstance(node, ast.Tuple | ast.List))
        places = ((node.elts, at) for node in lists for at, one in enumerate(node.elts) if _names(one, answer))
        found = next(places, None)
        if found is None:
            return text
        elements, at = found
        begin = _offset(text, elements[at].lineno, elements[at].col_offset)
        end = _offset(text, elements[at].end_lineno or 0, elements[at].end_col_offset or 0)
        if at + 1 < len(elements):
            end = _offset(text, elements[at + 1].lineno, elements[at + 1].col_offset)
        elif at:
            begin = _offset(text, elements[at - 1].end_lineno or 0, elements[at - 1].end_col_offset or 0)
        elif text[end:].lstrip().startswith(","):
            end = text.index(",", end) + 1
        text = text[:begin] + text[end:]


def _names(node: ast.expr, answer: str) -> bool:
    return ast.unparse(node).rpartition(".")[2] == answer


def _with_imports(text: str, places: Sequence[tuple[str, str]]) -> str:
    """Import names from modules, those that the file does not know yet."""
    missing = [f"from {module} import {name}\n" for module, name in places if not _is_imported(text, name)]
    if not missing:
        return text
    lines = text.splitlines(keepends=True)
    last = max(
        (one.end_lineno or 0 for one in ast.parse(text).body if isinstance(one, ast.Import | ast.ImportFrom)), default=0
    )
    first = [one for one in ast.parse(text).body if isinstance(one, ast.ImportFrom) and one.level]
    at = first[0].lineno - 2 if first and first[0].lineno > 1 else last  # own modules come last, after a blank line
    return "".join([*lines[:at], *missing, *lines[at:]])


def _with_order(text: str, change: Change, front_end: FrontEnd) -> str:
    """Write which answers to a point go first; an entry that is there is replaced."""
    labels = dict(answers_of(front_end))
    found = [labels[label] for label in change.first]
    of_products = {one.declaration for product in front_end.products for one in product.answers}
    pack, question = found[0].point.name.split(".", 1)
    names = ", ".join(_called(text, one, is_own=one.declaration not in of_products) for one in found)
    written = _with_entry(text, f"{pack}.{question.replace('-', '_')}", f"({names},)")
    places = [(one.function.__module__, one.name) for one in found if one.declaration in of_products]
    api = sys.modules.get(found[0].point.default.__module__)
    if not _is_imported(written, pack) and api is not None:
        raise NotWritten(f"front_end.py does not import {pack}", remedy=f"import it from {api.__name__} first")
    return _with_imports(written, places)


def _with_entry(text: str, key: str, names: str) -> str:
    """Write one entry of order={...}."""
    call = _front_end_call(text)
    said = next((one.value for one in call.keywords if one.arg == "order"), None)
    if said is None:
        return _with_keyword(text, call, "order", f"{{{key}: {names}}}")
    if not isinstance(said, ast.Dict):
        raise NotWritten("order={...} is no plain dict in the front end's file", remedy="write it by hand")
    for one, value in zip(said.keys, said.values, strict=True):
        if one is not None and ast.unparse(one) == key:
            return _spliced(text, value, names)
    inside = ast.get_source_segment(text, said) or "{}"
    return _spliced(text, said, inside.rstrip("}").rstrip() + f"\n        {key}: {names},\n    }}")


def _with_when(text: str, answer: Answer, when: Mapping[str, Sequence[str]]) -> str:
    """Write the condition into the decorator of an answer."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name != answer.name:
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("answers"):
                return _with_keyword(text, decorator, "when", _condition(when)) if when else _without(text, decorator)
    raise NotWritten(f"{answer.name} has no @answers(...) in its file", remedy="write the condition by hand")


def _condition(when: Mapping[str, Sequence[str]]) -> str:
    return "{" + ", ".join(f'"{name}": {_values(values)}' for name, values in when.items()) + "}"


def _values(values: Sequence[str]) -> str:
    texts = [f'"{value}"' for value in values]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _without(text: str, call: ast.Call) -> str:
    kept = [ast.get_source_segment(text, one) or "" for one in call.args]
    kept += [f"{one.arg}={ast.get_source_segment(text, one.value)}" for one in call.keywords if one.arg != "when"]
    return _spliced(text, call, f"{ast.unparse(call.func)}({', '.join(kept)})")


def _with_keyword(text: str, call: ast.Call, name: str, said: str) -> str:
    """Replace a keyword of a call, or add it behind the last one, on a line of its own where those have one."""
    for one in call.keywords:
        if one.arg == name:
            return _spliced(text, one.value, said)
    parts: list[ast.expr] = [*call.args, *(one.value for one in call.keywords)]
    last = max(parts, key=lambda one: (one.end_lineno or 0, one.end_col_offset or 0))
    lines = (last.end_lineno or 0) > call.lineno
    behind = f",\n    {name}={said}" if lines else f", {name}={said}"
    return _spliced(text, last, (ast.get_source_segment(text, last) or "") + behind)


def _spliced(text: str, node: ast.expr, said: str) -> str:
    begin = _offset(text, node.lineno, node.col_offset)
    end = _offset(text, node.end_lineno or node.lineno, node.end_col_offset or 0)
    return text[:begin] + said + text[end:]


def _offset(text: str, line: int, column: int) -> int:
    """Return where a line and a column of the parser are in a text."""
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: line - 1])) + _column(lines[line - 1], column)


def _column(line: str, offset: int) -> int:
    """Return the character at an offset in bytes, which is what the parser counts in."""
    return len(line.encode()[:offset].decode())


def _front_end_call(text: str) -> ast.Call:
    for node in ast.parse(text).body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("FrontEnd"):
            return value
    raise NotWritten("front_end.py does not say FRONT_END = FrontEnd(...)", remedy="write the change by hand")


def _place(product: Product) -> tuple[str, str]:
    """Return the module that defines a product, and its name there."""
    defined = [answer.function.__module__ for answer in product.answers]
    for module in dict.fromkeys([*defined, *sorted(sys.modules)]):
        for name, value in list(vars(sys.modules[module]).items()) if module in sys.modules else ():
            if value is product:
                return module, name
    raise NotWritten(f"product {product.name!r} has no name in any module", remedy="write it by hand")


def _called(text: str, answer: Answer, *, is_own: bool) -> str:
    """Return what an answer is called in the front end's file: its own ones may be named by their module."""
    if not is_own or _is_imported(text, answer.name):
        return answer.name
    return f"{answer.function.__module__.rpartition('.')[2]}.{answer.name}"


def _is_imported(text: str, name: str) -> bool:
    nodes = (node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom))
    return any(name in (one.asname, one.name) for node in nodes for one in node.names)


def _file(answer: Answer, folder: Path) -> Path:
    file = folder / Path(answer.source.rpartition(":")[0]).name  # what runs may be a watchdog around it
    if not file.is_file():
        raise NotWritten(f"{answer.name} is not in a file of {folder.name}", remedy="write the condition by hand")
    return file
