"""Who reads a field is found in code, and only who reads it; what nobody reads may go once that is announced."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from isthmus import cli
from isthmus.governance import reads
from isthmus.governance.compat import compare, undeclared
from isthmus.governance.consumers import Calls
from isthmus.governance.contracts import Contracts, contracts_of
from isthmus.governance.reads import Code, Consumers, code_of, field_of, readers
from isthmus.kernel import FrontEnd

from .test_compat import release

CODES = ("north", "south", "west", "east")
TODAY = date(2026, 5, 4)

WIRE = "async def found(platform):\n    return (await platform.call('shop.find', {}))['note']\n"
TYPED = "from isthmus.shop import api as shop\n\ndef note(ctx):\n    return ctx.call(shop.find, None).note\n"
ELSEWHERE = "async def story(platform):\n    return (await platform.call('press.find', {}))['note']\n"
OTHER_FIELD = """
async def kind(platform, app):
    app.note.read()
    return (await platform.call("shop.find", {}))["kind"]
"""
TEMPLATE = "{% trans %}Found{% endtrans %}{{ found.note }}"
SCRIPT = "const found = await post('/v1/shop.find', {});\nshow(found.note);\n"


def code(folder: Path, **files: str) -> Code:
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return code_of(folder)


def consumers(codes: dict[str, Code], counted: dict[tuple[str, str], int] | None = None) -> Consumers:
    front_ends = tuple(FrontEnd(code=one, name=one, owner=one, uses=("shop.*",)) for one in CODES)
    running = release(front_ends=front_ends)
    calls = None if counted is None else Calls(days=30, counted=counted, asked={})
    return Consumers(release=running, contracts=contracts_of(running), codes=codes, platform={}, calls=calls)


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"pages_py": WIRE}, "north/pages.py:2"),
        ({"own_py": TYPED}, "north/own.py:4"),
        ({"pages_py": WIRE.replace("'note'", "'kind'"), "found_html": TEMPLATE}, "north/found.html:1"),
        ({"app_ts": SCRIPT}, "north/app.ts:2"),
        ({"pages_py": ELSEWHERE}, None),  # the same name, of another capability
        ({"pages_py": OTHER_FIELD}, None),  # another field; an attribute of that name is none of an answer's
    ],
)
def test_who_takes_a_field_of_what_it_asks_for_reads_it(tmp_path: Path, files: dict[str, str], where: str | None):
    known = consumers({"north": code(tmp_path / "north", **files)})
    found = readers(field_of(known.contracts, "shop.find:$.note"), known)
    assert [(one.who, one.where) for one in found] == ([("north", where)] if where else [])


def test_one_line_says_who_reads_a_field_and_their_share(tmp_path: Path):
    codes = {
        "north": code(tmp_path / "north", pages_py=WIRE),
        "south": code(tmp_path / "south", pages_py=OTHER_FIELD),
        "west": code(tmp_path / "west"),
    }
    counted = {(one, "shop.find"): 10 for one in CODES[:3]} | {("north", "shop.other"): 30}
    known = consumers(codes, counted)
    note = field_of(known.contracts, "shop.find:$.note")
    assert reads.said(note, readers(note, known), known.calls) == (
        "shop.find:$.note must stay: west calls it from code that is not here (100.0% of its calls, 10), "
        "north reads it in north/pages.py:2 (25.0% of its calls, 10)"
    )
    known = consumers({**codes, "north": codes["south"]}, {("north", "shop.find"): 4, ("south", "shop.find"): 5})
    assert reads.said(note, readers(note, known), known.calls) == (
        "shop.find:$.note can go: nobody reads it, in 9 calls of 2 front ends over 30 days; "
        "announce it with a Sunset first"
    )


def announced(contracts: Contracts, until: date) -> Contracts:
    found = contracts.schemas["Found"]
    note = {**found["properties"]["note"], "deprecated": True, reads.SUNSET: until.isoformat()}
    changed: dict[str, Any] = {"Found": {**found, "properties": {**found["properties"], "note": note}}}
    return replace(contracts, schemas={**contracts.schemas, **changed})


def without_note(contracts: Contracts) -> Contracts:
    found = contracts.schemas["Found"]
    left = {name: one for name, one in found["properties"].items() if name != "note"}
    return replace(contracts, schemas={**contracts.schemas, "Found": {**found, "properties": left}})


@pytest.mark.parametrize(
    ("until", "who", "breaks"),
    [
        (None, [], ((),)),  # nobody reads it, and nothing announced it
        (date(2026, 6, 1), [], None),
        (date(2026, 6, 1), ["north"], (("north",),)),
        (date(2026, 5, 1), ["north"], None),  # its last day has passed
    ],
)
def test_a_field_that_nobody_reads_goes_once_it_is_announced(
    until: date | None, who: list[str], breaks: tuple[tuple[str, ...], ...] | None
):
    now = contracts_of(release())
    old = announced(now, until) if until else now
    found = undeclared(compare(old, without_note(now), lambda kind, name: CODES, TODAY, lambda one: who))
    assert tuple(one.breaks for one in found) == (breaks or ())
    assert not compare(now, announced(now, TODAY), today=TODAY, reads=lambda one: who), "announcing breaks nobody"


def test_a_field_that_is_not_there_is_refused_with_what_comes_near():
    contracts = contracts_of(release())
    for named, said in (
        ("shop.finf:$.note", "'shop.find'"),
        ("shop.find:$.nota", "'note'"),
        ("shop.find:note", "name one such as shop.find:$."),
        ("shop.find:$.lines[*].sky", "'sku'"),
    ):
        with pytest.raises(reads.NoSuchField) as refused:
            field_of(contracts, named)
        assert said in f"{refused.value} {refused.value.remedy}"
    assert field_of(contracts, "shop.find:$.lines[*].sku").name == "sku"


def test_of_our_own_front_ends_the_command_says_it_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))  # no database: the code alone
    monkeypatch.delenv("ISTHMUS_DATABASE_URL", raising=False)
    said = CliRunner().invoke(cli.main_app, ["compat", "--can-remove", "payment.get-payment:$.state"])
    assert said.exit_code == 1, said.output
    assert len(said.output.splitlines()) == 1
    for front_end in ("brand", "fresh", "market"):
        assert f"{front_end} reads it in " in said.output
