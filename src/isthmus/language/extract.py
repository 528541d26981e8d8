"""What a package writes for readers, found in its source: texts of templates, and sentences of Python.

Of Python these are read: `mark(…)`; messages and remedies of errors (calls with `remedy=`, and what is called `fact` or
`remedy`); menus of pages, titles of guides; the documentation of capabilities, extension points, entities, values,
errors, metrics and fields. A value in a sentence becomes its name: f"SKU {line.sku!r} is unknown" is `SKU {sku} is
unknown`.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from jinja2.ext import babel_extract

NAMES: Final = re.compile(r"[a-z_][a-z0-9_]*")
DECLARED: Final = ("capability", "flow", "extension_point", "event", "entity")
PUBLISHED: Final = ("api", "values", "errors")  # modules whose classes the catalogue and the console describe
SAID: Final = ("doc", "description", "remedy", "group", "menu", "sentence")  # keywords whose text is shown
SAID_OF_DATA: Final = ("why", "until", "purposes")  # those of what is said of personal data
TEMPLATE_OPTIONS: Final = {"trimmed": "true", "silent": "false"}
FIRST_SHOWN: Final = ("mark", "gettext", "Found")  # calls whose first argument is shown
ASSIGNED: Final = ("fact", "remedy")  # what long sentences of errors are called before they are raised
KEYWORDS: Final = ("_", "gettext", "ngettext")


def messages_in(folder: Path, leave_out: Collection[str] = ()) -> dict[str, list[str]]:
    """Return every text for readers below a folder, and the files that it stands in.

    Packs below it have catalogues of their own; `leave_out` names folders and files whose texts nobody is shown.
    """
    found: dict[str, list[str]] = {}
    others = {path.parent for path in folder.rglob("pack.py")} - {folder}
    others |= {folder / name for name in leave_out}
    for file in sorted(folder.rglob("*")):
        if others.intersection((file, *file.parents)):
            continue
        for message in _messages(file):
            found.setdefault(message, []).append(file.relative_to(folder).as_posix())
    return found


def _messages(file: Path) -> Iterator[str]:
    if file.suffix == ".html":
        with file.open("rb") as source:
            for _, _, message, _ in babel_extract(source, KEYWORDS, (), TEMPLATE_OPTIONS):
                yield from (message,) if isinstance(message, str) else (one for one in message or () if one)
    elif file.suffix == ".py":
        yield from sentences(file.read_text(), is_api=file.stem in PUBLISHED or file.parent.name in PUBLISHED)


def sentences(source: str, *, is_api: bool = False) -> Iterator[str]:
    """Yield the sentences for readers in Python source; of an api's own documentation the first line."""
    tree = ast.parse(source)
    if is_api:
        yield from paragraphs(ast.get_docstring(tree) or "")[:1]
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                yield from _of_call(node)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in ASSIGNED:
                yield from filter(_has_words, _written(value))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if any(
                map(_is_declared, node.decorator_list)
            ):
                yield from paragraphs(ast.get_docstring(node) or "")
            case ast.ClassDef(bases=[_, *_]) if is_api or _is_error(node):
                yield from paragraphs(ast.get_docstring(node) or "")
            case _:
                pass


def paragraphs(doc: str) -> list[str]:
    """Return the first line of a documentation, and each paragraph of prose on one line; examples are in none."""
    parts = [part for part in inspect.cleandoc(doc).split("\n\n") if part and not is_example(part)]
    first = parts[0].splitlines()[:1] if parts else []
    return list(dict.fromkeys([*first, *(" ".join(part.split()) for part in parts)]))


def is_example(part: str) -> bool:
    """Return whether a paragraph is shown as it stands, such as code or a drawing."""
    return any(line.startswith("    ") for line in part.splitlines())


def _of_call(call: ast.Call) -> Iterator[str]:
    name = _name(call.func)
    said = (*SAID, *SAID_OF_DATA) if name in ("Keeps", "Personal") else SAID
    texts: list[ast.expr] = [one.value for one in call.keywords if one.arg in said]
    if name in FIRST_SHOWN or (call.args and any(one.arg == "remedy" for one in call.keywords)):
        texts += call.args[:1]
    if name == "Page":
        texts += call.args[1:2]
    if name == "Guide":
        texts += [one.value for one in call.keywords if one.arg == "title"]
    for text in texts:
        yield from filter(_has_words, _written(text))


def _written(text: ast.expr) -> Iterator[str]:
    """Yield what an expression may write: a text, a text with values, or either of two."""
    match text:
        case ast.Constant(value=str(value)):
            yield " ".join(value.split()) if "\n" in value else value
        case ast.JoinedStr():
            yield _shape(text)
        case ast.IfExp(body=one, orelse=other):
            yield from _written(one)
            yield from _written(other)
        case ast.BoolOp(values=values) | ast.Dict(values=values):
            for one in values:
                yield from _written(one)
        case _:
            pass


def _shape(text: ast.JoinedStr) -> str:
    pieces: list[str] = []
    names: dict[str, str] = {}
    for one in text.values:
        if isinstance(one, ast.Constant):
            pieces.append(str(one.value))
            continue
        written = ast.unparse(one)
        name = _value_name(one)
        while names.setdefault(name, written) != written:
            name += "_"
        pieces.append(f"{{{name}}}")
    return "".join(pieces)


def _value_name(value: ast.expr) -> str:
    """Return what a value in a sentence is called: the last name of its expression."""
    inner = value.value if isinstance(value, ast.FormattedValue) else value
    found = NAMES.findall(re.sub(r"'[^']*'", "", ast.unparse(inner)).lower())
    return found[-1] if found else "value"


def _has_words(text: str) -> bool:
    return bool(re.search(r"[A-Za-z]{2,}", re.sub(r"\{\w+\}", "", text)))


def _is_declared(decorator: ast.expr) -> bool:
    return _name(decorator.func if isinstance(decorator, ast.Call) else decorator) in DECLARED


def _is_error(declared: ast.ClassDef) -> bool:
    """Return whether a class is an error that pages name: one with a slug."""
    targets = (one.targets[0] for one in declared.body if isinstance(one, ast.Assign))
    return any(isinstance(target, ast.Name) and target.id == "slug" for target in targets)


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
