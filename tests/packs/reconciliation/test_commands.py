"""A file that cannot be read is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.kernel import errors
from isthmus.packs.reconciliation.commands import _text_of


def test_a_file_that_is_no_text_is_refused_with_the_place_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "bank.csv"
    file.write_bytes(b"a,b\n\xff\xfe")
    with pytest.raises(errors.BadAsk, match="byte 4 cannot be read"):
        _text_of(file)
    file.write_bytes(b"\xef\xbb\xbfa,b\n")
    assert _text_of(file) == "a,b\n"
