"""What people write in files is refused with the file, the line and the column."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.kernel import Value, errors
from isthmus.outside import NotInstalled, decode_file


class Part(Value):
    """One line."""

    sku: str
    quantity: int


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"sku": "tea",\n "quantity"', "line 2, column 12"),  # cut off
        (b'{"sku": "tea",\n "quantity": 2\n "note": ""}', "line 3, column 2"),
        ('{"sku": "茶", quantity: 2}'.encode(), "line 1, column 14"),  # letters, not bytes
    ],
)
def test_of_a_file_that_is_not_json_the_message_says_file_line_and_column(
    tmp_path: Path, body: bytes, place: str
) -> None:
    file = tmp_path / "order.json"
    file.write_bytes(body)
    with pytest.raises(errors.BadAsk, match="order.json is not JSON in " + place):
        decode_file(file, Part)


def test_of_a_file_that_does_not_fit_the_message_says_the_file_and_the_path(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_bytes(b'{"sku": 1, "quantity": 2}')
    with pytest.raises(errors.BadAsk, match="order.json: ") as wrong:
        decode_file(file, Part)
    assert wrong.value.path == "$.sku"


def test_a_library_that_only_some_need_is_named_with_the_extra_that_has_it() -> None:
    missing = NotInstalled(ModuleNotFoundError("No module named 'fpdf'", name="fpdf"), extra="finance")
    assert "the library 'fpdf' is not installed here" in str(missing)
    assert "pip install 'isthmus[finance]'" in missing.remedy
