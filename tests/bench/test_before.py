"""A benchmark is compared with what it was in another checkout: figures by name, rates the other way round."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import before

MADE = """
def rows(rounds):
    return [
        {{"name": "a call", "value": {call}, "unit": "µs"}},
        {{"name": "calls", "value": {rate}, "unit": "calls/s"}},
        {{"name": "{own}", "value": rounds, "unit": "µs"}},
    ]
"""


def checkout(folder: Path, *, call: float, rate: float, own: str) -> Path:
    """Make a checkout with one benchmark of made figures."""
    (folder / "bench").mkdir(parents=True)
    (folder / "bench" / "made.py").write_text(MADE.format(call=call, rate=rate, own=own))
    return folder


def test_figures_of_both_are_printed_with_their_ratio_and_what_only_one_has_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = checkout(tmp_path / "old", call=2.0, rate=100, own="gone")
    monkeypatch.setattr(before, "HERE", checkout(tmp_path / "new", call=3.0, rate=90, own="new"))
    monkeypatch.setattr(sys, "argv", ["before", str(old), "made.rows", "--turns", "2"])
    before.main()
    assert capsys.readouterr().out.splitlines() == [
        "made.rows | a call | 2 µs | 3 µs | 1.500 | 1.500",
        "made.rows | calls | 100 calls/s | 90 calls/s | 0.900 | 0.900",
    ]
