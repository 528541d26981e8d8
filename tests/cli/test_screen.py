"""What commands print can be read where it goes: whole in a pipe, folded in a terminal, as JSON for programs."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from isthmus.cli.screen import Screen

PATH = "front_ends/a-shop-with-a-long-name/answers/pricing/evening_markdown_of_everything_fresh.py:1204"
NAMES = ("checkout.place-order-with-substitutes", "a sentence of many words that says what it gives", PATH)


def printed(*, is_terminal: bool, width: int = 80) -> str:
    text = io.StringIO()
    table = Table("name", "what it gives", "where")
    table.add_row(*NAMES)
    Screen(file=text, force_terminal=is_terminal, width=width, color_system=None).print(table)
    return text.getvalue()


def test_a_pipe_gets_every_row_on_one_line() -> None:
    (line,) = [line for line in printed(is_terminal=False).splitlines() if PATH in line]
    assert [name for name in NAMES if name not in line] == []


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_terminal_folds_what_is_too_wide_and_cuts_nothing(width: int) -> None:
    shown = printed(is_terminal=True, width=width)
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
    columns = zip(*(line.split("│")[1:-1] for line in shown.splitlines() if line.startswith("│")), strict=True)
    assert ["".join("".join(column).split()) for column in columns] == ["".join(name.split()) for name in NAMES]


def test_a_sentence_with_a_path_is_on_one_line_in_a_pipe() -> None:
    text = io.StringIO()
    Screen(file=text, force_terminal=False, width=80, color_system=None).print(f"the answer stands at {PATH}")
    assert text.getvalue() == f"the answer stands at {PATH}\n"
