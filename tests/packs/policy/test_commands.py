"""`isthmus security may`, `who-may` and `what-may`: what they answer, and what they say to what nobody can answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isthmus import cli
from isthmus.kernel import errors
from isthmus.packs.policy import api

NORTH = """from isthmus.kernel import FrontEnd

RULES = '@id("closed") forbid (principal is Client, action == Action::"pricing.put-prices", resource);'
USES = ("pricing.*", "order.*", "after-sale.*")
FRONT_END = FrontEnd(code="north", name="North", owner="north team", uses=USES, settings={"policy.rules": RULES})
"""
Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
async def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give what runs a command of `security` for a front end, where bo sees one seller of it and is support."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", database_url)
    (tmp_path / "front_ends" / "north").mkdir(parents=True)
    (tmp_path / "front_ends" / "north" / "front_end.py").write_text(NORTH)

    async def run(*command: str) -> tuple[int, str]:
        asked = [*command] if command[0] == "client" else ["security", *command]
        ran = await asyncio.to_thread(CliRunner(env={"COLUMNS": "250"}).invoke, cli.main_app, asked)
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        return ran.exit_code, ran.output.strip()

    await run("invite", "bo", "bo@example.org", "--role", "support", "--on", "north")
    await run("share", "bo", "operator", "--on", "north", "--part", "seller/17")
    return run


async def test_who_is_here_is_decided_about_as_they_are(run: Run) -> None:
    assert (await run("may", "bo", "order.get-order", "--on", "north", "--person"))[0] == 0
    code, said = await run("may", "bo", "pricing.switch-on", "--on", "north", "--person")
    assert (code, said) == (1, "no: no policy permits it")
    code, said = await run("may", "bo", "after-sale.ship-order", "--on", "north", "--person")
    assert (code, said.endswith("within seller/17")) == (0, True)
    assert (await run("may", "bo", "pricing.put-prices", "--on", "north", "--person", "--role", "operator"))[0] == 0
    code, said = await run("may", "till", "pricing.put-prices", "--on", "north", "--json")
    assert (code, json.loads(said)) == (
        1,
        {"is_allowed": False, "policies": ["north#closed"], "failed": [], "parts": []},
    )


async def test_a_key_is_confined_to_a_part_of_a_kind_that_there_is(run: Run) -> None:
    for part in ("seler/17", "seller:17", "seller", "seller/", "seller/1 7", ""):
        with pytest.raises(errors.BadAsk, match=f"'{part}' is no part of a front end") as wrong:
            await run("client", "create", "north", "--name", "erp", "--part", part)
        assert (wrong.value.path, "such as seller/17" in wrong.value.remedy) == ("--part", True)
    assert await run("client", "list", "--json") == (0, "[]")
    assert (await run("client", "create", "north", "--name", "erp", "--part", "seller/17"))[1].startswith("isth_")


async def test_lists_say_what_decisions_do(run: Run) -> None:
    _, said = await run("what-may", "bo", "--on", "north", "--person", "--json")
    allowed = json.loads(said)
    assert "order.get-order" in allowed
    assert "after-sale.ship-order within seller/17" in allowed
    assert "pricing.put-prices within seller/17" in allowed
    assert not any(one.startswith("pricing.switch-on") for one in allowed)
    for name in ("order.get-order", "after-sale.ship-order"):
        assert (await run("may", "bo", name, "--on", "north", "--person"))[0] == 0
    _, said = await run("who-may", "after-sale.ship-order", "--on", "north", "--json")
    assert {"operator", "owner", "bo: operator seller/17"} <= set(json.loads(said))
    _, said = await run("what-may", "nobody", "--on", "north", "--role", "guest")
    assert said == "nobody and nothing"


@pytest.mark.parametrize(
    ("command", "kind", "said"),
    [
        (
            ("may", "bob", "order.get-order", "--on", "north", "--person"),
            errors.NotFound,
            "nobody is called 'bob' here",
        ),
        (("what-may", "bob", "--on", "north", "--person"), errors.NotFound, "isthmus security people"),
        (("may", "bo", "order.get-oder", "--on", "north"), api.NoSuchAction, "did you mean 'order.get-order'?"),
        (("who-may", "order.*", "--on", "north"), api.NoSuchAction, "no capability is called 'order.*'"),
        (("may", "bo", "order.get-order", "--on", "nort"), errors.NotPermitted, "did you mean 'north'?"),
        (("who-may", "order.get-order", "--on", "nort"), errors.NotPermitted, "'nort' is not known here"),
        (("what-may", "bo", "--on", "nort"), errors.NotPermitted, "'nort' is not known here"),
        (("what-may", "bo", "--on", "nort", "--person"), errors.NotPermitted, "'nort' is not known here"),
        (("may", "bo", "order.get-order", "--on", "north", "--via", "htp"), api.NoSuchWayIn, "did you mean 'http'?"),
        (("who-may", "order.get-order", "--on", "north", "--via", "fax"), api.NoSuchWayIn, "say one of http, mcp"),
        (("what-may", "bo", "--on", "north", "--via", "fax"), api.NoSuchWayIn, "comes in through 'fax'"),
        (("may", "bo", "order.get-order", "--on", "north", "--role", "Head Of"), errors.BadAsk, "roles"),
        (("may", "", "order.get-order", "--on", "north"), errors.BadAsk, "name a client, or somebody with --role"),
        (("what-may", "", "--on", "north"), errors.BadAsk, "nobody is named"),
    ],
)
async def test_what_cannot_be_answered_is_said_with_what_to_do(
    run: Run, command: tuple[str, ...], kind: type[errors.IsthmusError], said: str
) -> None:
    with pytest.raises(kind) as refused:
        await run(*command)
    assert said in f"{refused.value.path or ''} {refused.value}"


async def test_names_that_look_like_policies_are_names(run: Run) -> None:
    for name in ('till"', "a\\", 'x"::y, Role::"owner', "名字"):
        code, _ = await run("may", name, "order.get-order", "--on", "north", "--role", "support")
        assert code == 0
        code, _ = await run("may", name, "people.write", "--on", "north", "--role", "support")
        assert code == 1


async def test_nothing_is_asked_without_its_front_end(run: Run) -> None:
    for command in (("may", "bo", "order.get-order"), ("who-may", "order.get-order"), ("what-may", "bo")):
        code, said = await run(*command)
        assert (code, "--on" in said) == (2, True)
