"""What a pack brings of files: over HTTP below a path, kept by a resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from isthmus.kernel import Capability


class FileResource(Protocol):
    """A resource that has files by names of their content."""

    def named(self, content: bytes) -> tuple[str, str]:
        """Return what a file is called and its type. Raises BadAsk for what is not served."""
        ...

    async def put(self, name: str, content: bytes) -> None:
        """Keep a file; the same name again has the same content, and changes nothing."""
        ...

    async def read(self, name: str) -> tuple[bytes, str] | None:
        """Return a file and its type; None where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files over HTTP below a path: put by who may call `check` and `note`, read by everyone.

    kind: the resource that has them, a `FileResource`. check and note ask with `file` and `size`, before a content is
    kept and after.
    """

    path: str
    kind: type[Any]
    bytes_max: int
    check: Capability[Any, Any]
    note: Capability[Any, Any]
