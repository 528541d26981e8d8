"""AsyncAPI documents: one for each front end, valid for the parser of the specification, and true."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import httpx
import jsonschema
import pytest

from isthmus.gateway.documents import asyncapi
from isthmus.kernel import FrontEnd, Value, encode, event
from isthmus.kernel.host import Deprecated, event_kind
from tests import shipped

from .test_events import Said
from .test_events import reader as reader

Reader = Callable[..., Awaitable[httpx.AsyncClient]]
PARSE = """
import { Parser } from '@asyncapi/parser'
import { readFileSync } from 'node:fs'
const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'))
const problems = diagnostics.filter(one => one.severity < 2).map(one => one.path.join('.') + ': ' + one.message)
console.log(JSON.stringify({ problems, messages: document?.allMessages().all().map(one => one.name()) }))
"""


@event("north.greeted", version="1.0", subject="name")
class Greeted(Value):
    """Somebody was greeted."""

    name: str


async def test_an_event_of_the_feed_is_what_the_document_says(reader: Reader) -> None:
    north = await reader("north")
    await north.post("/v1/desk.say", json={"name": "tea"})
    (sent,) = (await north.get("/v1/events")).json()["events"]
    document = (await north.get("/v1/asyncapi.json")).json()
    assert (await north.get("/docs/north/asyncapi.json")).json() == document
    message = document["components"]["messages"]["desk.said"]
    schema = {**message["payload"], "components": document["components"]}
    jsonschema.validate(sent, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**sent, "data": {}}, schema)


async def test_an_event_that_ends_says_until_when_it_is_sent(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = Deprecated(since=date(2026, 1, 1), sunset=date(2026, 7, 1), instead="desk.told")
    monkeypatch.setattr(Said, "__isthmus_event__", replace(event_kind(Said), deprecated=leaving))
    north = await reader("north")
    await north.post("/v1/desk.say", json={"name": "tea"})
    (sent,) = (await north.get("/v1/events")).json()["events"]
    assert sent["sunset"] == "2026-07-01"
    document = (await north.get("/v1/asyncapi.json")).json()
    message = document["components"]["messages"]["desk.said"]
    assert (message["x-sunset"], message["x-instead"]) == ("2026-07-01", "desk.told")
    jsonschema.validate(sent, {**message["payload"], "components": document["components"]})
    assert message["payload"]["properties"]["sunset"]["const"] == "2026-07-01"


def test_a_front_ends_own_events_are_in_its_document_and_in_no_other() -> None:
    uses = ("order.*",)
    north = FrontEnd(code="north", name="North", owner="n", uses=uses, events=(Greeted,))
    release = shipped.build([north, FrontEnd(code="south", name="South", owner="s", uses=uses)])
    assert "north.greeted" in asyncapi.document(release, "north")["channels"]
    assert "north.greeted" not in asyncapi.document(release, "south")["channels"]
    assert set(release.events) <= set(asyncapi.document(release, "south")["channels"])


@pytest.mark.slow
def test_the_parser_of_the_specification_finds_nothing_wrong_with_the_whole_platforms(tmp_path: Path) -> None:
    north = FrontEnd(code="north", name="North", owner="n", uses=tuple(f"{pack.name}.*" for pack in shipped.PACKS))
    document = asyncapi.document(shipped.build([north]), "north")
    (tmp_path / "events.json").write_bytes(encode(document))
    (tmp_path / "parse.mjs").write_text(PARSE)
    (tmp_path / "package.json").write_text('{"private": true}')
    subprocess.run(["npm", "install", "--silent", "@asyncapi/parser@3"], cwd=tmp_path, check=True, timeout=600)
    said = subprocess.run(
        ["node", "parse.mjs", "events.json"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=300
    )
    found = json.loads(said.stdout)
    assert found["problems"] == []
    assert sorted(found["messages"]) == sorted(document["components"]["messages"])
