"""Where ventures stand on the ladder, as the page and the command say it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from isthmus.flows.ventures import rules
from isthmus.flows.ventures.service.ladder import Ladder, venture_standing
from isthmus.packs.venture import api as venture
from tests.console.signing import sign_in, sign_in_link

from .conftest import World


async def test_ventures_stand_on_the_lowest_rung_with_what_they_owe_and_what_joining_lacks(world: World) -> None:
    found = {one.code: one for one in await world.running.resource(Ladder).read(world.running.platform)}
    box = found["box"]
    assert (box.kind, box.rung, box.next, box.owner) == ("venture", "independent", "sandbox", "head of new business")
    assert {one.name for one in box.criteria} == {"obligations", "charter-left", "licence", "switched"}
    assert {"order", "ledger", "tax", "checkout"} <= found.keys(), "packs and flows are on it too"
    assert found["ledger"].rung == "sandbox", "two front ends have not called it for 28 days"
    lines = "\n".join(rules.rung_lines(found.values()))
    assert "operations that the platform answers" in lines
    assert "front ends that have called it for 28 days" in lines


async def test_a_charter_that_cannot_be_read_is_said_and_hides_nobody_else(world: World) -> None:
    with world.charter_with("liar", "[kill]", "[killed]"):
        found = {one.code: one for one in await world.running.resource(Ladder).read(world.running.platform)}
    assert "venture.toml" in found["liar"].notice
    assert "kill" in found["liar"].notice
    assert found["box"].criteria


@pytest.mark.parametrize(
    ("changes", "switched", "notice", "rung"),
    [
        ({}, 0, "", "independent"),
        ({"is_lapsed": True}, 2, "lapsed", "independent"),
        ({"kill_on": date(2026, 7, 1)}, 0, "killed", "independent"),
        ({"findings": ()}, 0, "owes", "independent"),
        ({"left_by": "ended", "left_on": date(2026, 7, 1)}, 0, "ended", "independent"),
        ({"left_by": "graduated", "left_on": date(2026, 7, 1)}, 2, "graduated", "sandbox"),
    ],
    ids=["well", "lapsed", "killed", "owes", "ended", "graduated"],
)
async def test_what_is_due_at_a_venture_is_said(
    world: World, changes: dict[str, object], switched: int, notice: str, rung: str
) -> None:
    now = datetime.now(UTC)
    met = tuple(
        venture.Finding(obligation=name, is_met=True, said="seen", at=now, since=now)
        for name in ("identity", "books", "security", "export")
    )
    standing = (await world.standing()).replace(findings=met, is_lapsed=False, kill_on=None, left_by=None, left_on=None)
    today = standing.charter.starts + timedelta(days=30)
    found = venture_standing(standing.replace(**changes), switched, 2, today)
    assert (found.notice, found.rung) == (notice, rung)
    assert found.falls is (notice in ("owes",))


async def test_a_licence_is_renewed_once(world: World) -> None:
    standing = await world.standing()
    charter = standing.charter.replace(ends=standing.charter.starts + timedelta(days=3 * 365))
    found = venture_standing(standing.replace(charter=charter), 0, 2, charter.starts)
    (licence,) = [one for one in found.criteria if one.name == "licence"]
    assert not licence.holds
    assert found.falls


async def test_the_page_shows_every_rung_with_what_the_next_one_needs(world: World) -> None:
    console = f"{world.address}/console"
    async with world.browser() as browser:
        link = await sign_in_link(world.running.config.database_url or "", "operator")
        assert (await sign_in(browser, console, link)).status_code == 200
        page = await browser.get(f"{console}/ladder")
        assert page.status_code == 200
        for words in (
            "Independent: outside, with four obligations",
            "Core: most front ends rely on it",
            "operations that the platform answers",
            "missing for: Incubating: two front ends rely on it",
            "at most 732",
        ):
            assert words in page.text, words
        chinese = await browser.get(f"{console}/ladder", params={"language": "zh"})
        assert "由平台回答的操作" in chinese.text
