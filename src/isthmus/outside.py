"""What comes from outside the code: files that people write, and libraries that not everybody has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from isthmus.kernel import decode, errors

V = TypeVar("V")

_AT_BYTE: Final = re.compile(r"\(byte (?P<byte>\d+)\)")


class NotInstalled(errors.Unavailable):
    """A library is not installed that only what was asked for needs."""

    def __init__(self, missing: ModuleNotFoundError, *, extra: str) -> None:
        super().__init__(
            f"the library {missing.name!r} is not installed here, which this needs",
            remedy=f"have whoever runs the platform install it: pip install 'isthmus[{extra}]'",
        )


def decode_file(file: Path, type_: type[V]) -> V:
    """Read a value out of a file of JSON. Raises BadAsk with the file, and the line and column where it is no JSON."""
    body = file.read_bytes()
    try:
        msgspec.json.decode(body, type=msgspec.Raw)  # without a type, what is wrong is the JSON
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        message = f"{file} is not JSON {_where(body, str(wrong))}: {wrong}"
        raise errors.BadAsk(message, remedy="write one JSON object, and see that the file is whole") from None
    try:
        return decode(body, type_)
    except errors.BadAsk as wrong:
        raise errors.BadAsk(f"{file}: {wrong.message}", remedy=wrong.remedy, path=wrong.path) from None


def _where(body: bytes, wrong: str) -> str:
    """Return the line and column at which a text stops being JSON; what is cut off stops at its end."""
    at = _AT_BYTE.search(wrong)
    before = body[: int(at["byte"])] if at else body.rstrip()
    line = before.rpartition(b"\n")[2].decode(errors="replace")
    row = before.count(b"\n") + 1
    return f"in line {row}, column {len(line) + 1}"
