"""`isthmus serve` asked for plainly is served at once; everything else goes where commands are read and explained."""

from __future__ import annotations

import pytest

from isthmus.cli.serve import Serve, asked


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("serve", Serve()),
        ("serve --port 0", Serve(port=0)),
        ("serve --workers 4 --host :: --port 8080", Serve(host="::", port=8080, workers=4)),
    ],
)
def test_plain_words_are_read_here(words: str, wanted: Serve) -> None:
    assert asked(words.split()) == wanted


@pytest.mark.parametrize(
    "words",
    ["", "doctor", "serve --help", "serve --port", "serve --port x", "serve --port=1", "serve --port 70000",
     "serve --port -1", "serve --workers 0", "serve --workers 65", "serve --prot 1", "serve --port 1 --port 2",
     "serve --host --port"],
)  # fmt: skip
def test_what_is_another_command_or_wrong_or_odd_is_left_to_it(words: str) -> None:
    assert asked(words.split()) is None
