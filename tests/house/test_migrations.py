"""Migrations keep to expand and contract, so that two releases can serve one database side by side."""

from __future__ import annotations

import pytest

from isthmus.app.platform import migration_sources
from isthmus.store.migrate import STORE
from isthmus.store.migration_steps import MARK, steps_of
from tests import shipped

from .debt import CONTRACTED_BEFORE
from .tree import ROOT

FILES = {
    f"{name}/{file.name}": file.read_text()
    for name, folder in (
        *((source.pack, source.folder) for source in (STORE, *migration_sources(shipped.PACKS))),
        *((folder.parent.name, folder) for folder in sorted(ROOT.glob("front_ends/*/migrations"))),
    )
    for file in folder.iterdir()
    if file.name.endswith(".sql")
}


def unmarked(sql: str) -> list[str]:
    return [f"line {step.line}: {step.because}" for step in steps_of(sql) if step.kind == "contract" and not step.mark]


@pytest.mark.parametrize("name", sorted(FILES))
def test_what_takes_something_away_says_since_when_nobody_needs_it(name: str) -> None:
    found = unmarked(FILES[name])
    if name in CONTRACTED_BEFORE:
        assert found, f"{name} takes nothing away: strike it off the list"
    else:
        assert found == [], f"write `{MARK} why` over it, or do it a release later: docs/guides/migrations.md"


def test_a_statement_that_takes_something_away_would_be_found() -> None:
    assert unmarked('alter table "order".orders drop column number;')
    assert unmarked(f'{MARK} nobody reads it since 0.2\nalter table "order".orders drop column number;') == []


def test_migrations_of_a_pack_count_without_a_gap_or_a_double() -> None:
    numbers: dict[str, list[int]] = {}
    for name in sorted(FILES):
        pack, _, file = name.partition("/")
        numbers.setdefault(pack, []).append(int(file[:4]))
    wrong = {pack: found for pack, found in numbers.items() if found != list(range(1, len(found) + 1))}
    assert wrong == {}, "two changes took one number: give the later one the next"
