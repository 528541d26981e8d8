"""What manifests name as `module:function`, checked at start without importing it: a page, a search, a site."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from isthmus.kernel import Pack, errors

from . import Page, Search
from .sites import Site

_OUTERMOST = re.compile(
    r"^(?:async def |def |class |from .* import |(?=\w+(?:: [^=]*)? = ))(.*?)(?:\(|=|:|$)", re.MULTILINE
)
_WORD = re.compile(r"\w+")


def at_problems(pack: Pack) -> Iterator[str]:
    """Say which pages, searches and sites of a pack are made by what is not there, each with what to write."""
    names_in = cache(_names_in)  # a module makes several pages
    for one in pack.brings:
        if isinstance(one, Page | Search | Site):
            module, _, name = one.at.partition(":")
            names = names_in(module)
            if names is None or name not in names:
                what = f"search of {pack.name!r}" if isinstance(one, Search) else f"{one.path!r} of {pack.name!r}"
                wrong = f"there is no module {module!r}" if names is None else f"that has no {name!r}"
                near = errors.near(name, names or ())
                yield f'{what} is made by {one.at!r}, and {wrong}{near}; write at="module:function"'


def _names_in(module: str) -> frozenset[str] | None:
    """Return what a module's text names at its outermost level; None where there is no module."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    text = Path(spec.origin).read_text(encoding="utf-8")
    return frozenset(name for line in _OUTERMOST.findall(text) for name in _WORD.findall(line))
