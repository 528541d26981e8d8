"""Libraries that are imported when something of them is first used: a server starts without what it may never need.

    if TYPE_CHECKING:
        import httpx
    else:
        httpx = later("httpx")

One that is not installed is said at once, as an import would.
"""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any


def later(name: str) -> Any:
    """Return what stands for a module. Raises ModuleNotFoundError where its library is not installed."""
    library = name.partition(".")[0]
    if importlib.util.find_spec(library) is None:
        raise ModuleNotFoundError(f"No module named {library!r}", name=library)
    return _Later(name)


class _Later(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)
