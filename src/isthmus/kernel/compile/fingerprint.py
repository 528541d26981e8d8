"""What code does, as a hash: over its instructions, its constants, and whatever of its own package it reaches.

It may differ where nothing changed in effect (a renamed local function); it never stays equal where something did.
"""

# What a constant holds is known to nobody before it is looked at.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

Update = Callable[[bytes], None]

FUNCTIONS_REMEMBERED = 16_384  # answers and defaults of a large installation, each some hundred bytes


@lru_cache(maxsize=FUNCTIONS_REMEMBERED)
def code_hash(function: Callable[..., Any]) -> str:
    """Hash a function and the code, constants and closures of its own package that it reaches."""
    digest = hashlib.sha256()
    _digest(function, _home(function), digest.update, set())
    return digest.hexdigest()


def _digest(value: Any, home: str, update: Update, seen: set[int]) -> None:
    value = _unwrapped(value)
    if isinstance(value, types.FunctionType | type | list | dict):  # what can lead back to itself
        if id(value) in seen:
            return
        seen.add(id(value))
    if isinstance(value, types.FunctionType):
        _digest_function(value, home, update, seen)
    elif isinstance(value, type):
        _digest_class(value, home, update, seen)
    elif isinstance(value, tuple | list | dict):
        update(f"{type(value).__qualname__}({len(value)}".encode())
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            _digest(item, home, update, seen)
    else:
        update(_written(value).encode())


def _digest_class(cls: type, home: str, update: Update, seen: set[int]) -> None:
    update(cls.__qualname__.encode())
    if _home(cls) != home:
        return
    for name, member in sorted(vars(cls).items()):
        member = _unwrapped(member)
        if isinstance(member, types.FunctionType) or name == "__struct_defaults__" or not name.startswith("__"):
            update(name.encode())
            _digest(member, home, update, seen)


def _digest_function(function: types.FunctionType, home: str, update: Update, seen: set[int]) -> None:
    _digest_code(function.__code__, update)
    for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        _digest(value, home, update, seen)
    for cell in function.__closure__ or ():
        _digest(cell.cell_contents, home, update, seen)
    names = sorted(_names(function.__code__))
    for name in names:
        reached = function.__globals__.get(name)
        if isinstance(reached, types.ModuleType):  # `rules.markdown(…)`: whatever of the module this code names
            members = vars(reached) if _package(reached.__name__) == home else {}
            found = [(member, members[member]) for member in names if member in members]
        else:
            found = [(name, reached)] if name in function.__globals__ else []
        for reached_name, value in found:
            is_foreign = isinstance(_unwrapped(value), types.FunctionType) and _home(_unwrapped(value)) != home
            if not is_foreign and not isinstance(value, types.ModuleType):
                update(reached_name.encode())
                _digest(value, home, update, seen)


def _digest_code(code: types.CodeType, update: Update) -> None:
    update(code.co_code)
    update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _digest_code(constant, update)
        else:
            update(_written(constant).encode())


def _written(value: Any) -> str:
    """Write a value the same way in every process: sets have no order of their own, addresses mean nothing."""
    if isinstance(value, set | frozenset):
        return repr(sorted(map(_written, value)))
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else f"{type(value).__qualname__}:{text}"


def _names(code: types.CodeType) -> set[str]:
    inner: Iterable[set[str]] = (_names(one) for one in code.co_consts if isinstance(one, types.CodeType))
    return set(code.co_names).union(*inner)


def _unwrapped(value: object) -> object:
    """Return the function that an Answer, Implementation, property or class method stands for."""
    for name in ("function", "fget", "__func__"):
        inner = getattr(value, name, None)
        if isinstance(inner, types.FunctionType):
            return inner
    return value


def _home(value: object) -> str:
    return _package(str(getattr(value, "__module__", "")))


def _package(module: str) -> str:
    return module.partition(".")[0]
