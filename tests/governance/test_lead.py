"""How long changes take is measured: by the commits that hold what was deployed, and by what was decided of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.app.config import WrongConfig, load_config
from isthmus.governance.lead import report, stages
from isthmus.governance.lead.commits import Checkout, NoCheckout
from isthmus.governance.lead.stages import Lead
from isthmus.runtime.deploy.loading import content_hash
from isthmus.store import Database

MONDAY = datetime(2026, 6, 1, 8, tzinfo=UTC)
NOW = MONDAY + timedelta(days=20)
OWN, THEIRS = "front_ends/north/answers.py", "src/till/rules.py"


def hour(count: float) -> datetime:
    return MONDAY + timedelta(hours=count)


class Company:
    """A checkout with a platform and front ends, and what was deployed of it."""

    def __init__(self, root: Path, database: Database) -> None:
        self.root, self.database = root, database
        self.git("init", "-q", "-b", "main")
        self.commit(0, {"front_ends/north/front_end.py": "A = 1\n", OWN: "SHARE = 0\n", THEIRS: "LIMIT = 1\n"})

    def git(self, *arguments: str, at: datetime = MONDAY) -> None:
        when = at.isoformat()
        known = {**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
        subprocess.run(["git", *who, *arguments], cwd=self.root, env=known, check=True, capture_output=True)

    def commit(self, at: float, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        self.git("add", "-A", at=hour(at))
        self.git("commit", "-qm", f"At {at}", at=hour(at))

    def merged(self, at: float, branch: str) -> None:
        self.git("checkout", "-q", "main")
        self.git("merge", "-q", "--no-ff", "-m", f"Merge {branch}", branch, at=hour(at))

    async def decide(self, kind: str, at: float, *, stable: str | None = None, staged: str | None = None) -> None:
        async with self.database.platform() as session:
            for one in filter(None, (stable, staged)):
                await session.execute(
                    "insert into runtime.version (front_end, hash, number, folder, files, packed, made_by)"
                    " select 'north', $1, coalesce(max(number), 0) + 1, 'north', 1, 'x', 'ann'"
                    " from runtime.version on conflict do nothing",
                    one,
                )
            await session.execute(
                "insert into runtime.switch (front_end, kind, stable, staged, percent, made_by, made_at)"
                " values ('north', $1, $2, $3, $4, 'ann', $5)",
                kind, stable, staged, 30 if staged else 0, hour(at),
            )  # fmt: skip

    def here(self) -> str:
        """Return the version that the folder holds now."""
        return content_hash(self.root / "front_ends" / "north")

    async def report(self, **more: object) -> report.Report:
        folders = {"north": self.root / "front_ends" / "north"}
        return await report.measure(
            self.database,
            self.root,
            folders,
            [self.root / "src"],
            [],
            NOW,
            **more,  # pyright: ignore[reportArgumentType]
        )

    async def lead(self) -> Lead:
        (found,) = (await self.report()).leads
        return found


@pytest.fixture
def company(database: Database, tmp_path: Path) -> Company:
    return Company(tmp_path, database)


def p50(found: Lead) -> dict[str, float]:
    return {stage: one.p50 for stage, one in found.stages.items()}


async def test_each_stage_of_a_change_is_seen_where_it_happened(company: Company):
    await company.decide("deploy", 1, stable=company.here())
    company.git("checkout", "-qb", "work")
    company.commit(10, {OWN: "SHARE = 1\n"})
    company.commit(14, {OWN: "SHARE = 2\n"})
    company.merged(20, "work")
    await company.decide("stage", 21, stable=None, staged=company.here())
    await company.decide("promote", 26, stable=company.here())
    found = await company.lead()
    assert (found.changes, found.known, found.failed) == (2, 2, 0)
    slow = {stage: one.p95 for stage, one in found.stages.items()}
    assert slow == {"coding": 4.0, "review": 6.0, "platform": 0.0, "release": 1.0, "roll-out": 5.0}
    assert found.total is not None
    assert found.total.p95 == 16.0
    assert found.autonomy is not None
    assert found.autonomy.both == 1.0


async def test_a_change_that_came_with_one_of_the_platform_waited_for_it(company: Company):
    await company.decide("deploy", 1, stable=company.here())
    company.git("checkout", "-qb", "work")
    company.commit(10, {OWN: "SHARE = 1\n"})
    company.commit(12, {THEIRS: "LIMIT = 2\n"})
    company.merged(12 + 96, "work")
    await company.decide("deploy", 12 + 97, stable=company.here())
    whole = await company.report(team_day="600 EUR")
    (found,) = whole.leads
    waits = found.stages["platform"]
    assert (waits.p95, found.stages["review"].p95) == (98.0, 0.0), "from its own last commit on"
    assert found.wait_days == round(98 / 24, 2)
    assert whole.tax == f"{found.wait_days * 600:.2f} EUR"
    assert found.autonomy is not None
    assert found.autonomy.changes == 0.5
    assert found.is_queueing
    assert whole.queue.served == 1


@pytest.mark.parametrize(("waited_h", "is_queueing"), [(0.5, False), (30, True)])
async def test_a_large_share_of_some_minutes_is_no_queue(company: Company, waited_h: float, is_queueing: bool):
    company.git("checkout", "-qb", "work")
    company.commit(10, {OWN: "SHARE = 1\n", THEIRS: "LIMIT = 2\n"})
    company.merged(10 + waited_h, "work")
    found = await company.lead()
    assert found.autonomy is not None
    assert found.autonomy.time < 0.5
    assert found.is_queueing is is_queueing


async def test_a_change_of_the_platform_that_came_by_itself_is_nobodys_wait(company: Company):
    await company.decide("deploy", 1, stable=company.here())
    company.commit(5, {THEIRS: "LIMIT = 2\n"})
    company.commit(10, {OWN: "SHARE = 1\n"})
    await company.decide("deploy", 11, stable=company.here())
    found = await company.lead()
    assert p50(found)["platform"] == 0.0
    assert found.autonomy is not None
    assert (found.autonomy.changes, found.autonomy.time) == (1.0, 1.0)


async def test_what_is_rolled_back_stands_beside_the_speed(company: Company):
    first = company.here()
    await company.decide("deploy", 1, stable=first)
    company.commit(10, {OWN: "SHARE = 1\n"})
    await company.decide("deploy", 11, stable=company.here())
    await company.decide("automatic-rollback", 13, stable=first)
    company.commit(20, {OWN: "SHARE = 2\n"})
    await company.decide("stage", 21, stable=first, staged=company.here())
    await company.decide("rollback", 25, stable=first)
    found = await company.lead()
    assert (found.changes, found.failed, found.recovery_hours) == (3, 2, 2.0)
    assert found.failure_rate == pytest.approx(2 / 3)


async def test_a_version_that_no_commit_holds_is_counted_and_its_commits_are_not_guessed(company: Company):
    await company.decide("deploy", 1, stable=company.here())
    (company.root / OWN).write_text("SHARE = 7\n")
    await company.decide("deploy", 5, stable=company.here())
    found = await company.lead()
    assert (found.changes, found.known) == (2, 1)


async def test_where_nobody_deploys_what_is_merged_is_live(company: Company):
    company.git("checkout", "-qb", "work")
    company.commit(10, {OWN: "SHARE = 1\n"})
    company.merged(16, "work")
    found = await company.lead()
    assert (found.changes, found.known) == (2, 2)
    assert {stage: one.p95 for stage, one in found.stages.items()}["review"] == 6.0


async def test_the_wait_is_expected_by_what_waits_and_what_is_served(company: Company):
    company.commit(10, {OWN: "SHARE = 1\n", THEIRS: "LIMIT = 2\n"})
    for name, files in {
        "seam/round-fee": {OWN: "SHARE = 2\n", THEIRS: "LIMIT = 3\n"},
        "more": {OWN: "SHARE = 3\n", THEIRS: "LIMIT = 4\n"},
        "own": {OWN: "SHARE = 4\n"},
    }.items():
        company.git("checkout", "-q", "main")
        company.git("checkout", "-qb", name)
        company.commit(12, files)
    company.git("checkout", "-q", "main")
    found = await company.report(days=20)
    assert found.queue.waiting == ("more", "seam/round-fee")
    assert found.queue.served == 1
    assert found.queue.expected_days == 40.0, "two wait, and one is served in twenty days"
    lines = list(report.text(found))
    assert "a request to the platform waits about 40 days: 2 wait, 1 were served" in lines


async def test_without_a_checkout_roll_outs_are_known_and_git_is_said_to_tell_nothing(
    company: Company, tmp_path_factory: pytest.TempPathFactory
):
    here = company.here()
    await company.decide("stage", 1, staged=here)
    await company.decide("promote", 9, stable=here)
    company.root = tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(NoCheckout):
        Checkout.read(company.root, [])
    found = await company.report()
    assert [(one.changes, one.known) for one in found.leads] == [(1, 0)]
    assert "git tells nothing of" in found.note


async def test_what_went_live_before_the_window_is_not_of_it(company: Company):
    await company.decide("deploy", 1, stable=company.here())
    assert (await company.report(days=10)).leads[0].changes == 0
    assert (await company.report(days=28)).leads[0].changes == 1


async def test_a_front_end_that_is_new_says_how_long_it_took_to_its_first_write(company: Company):
    async with company.database.platform() as session:
        for name, at in (("till.sell", 30), ("till.look", 2)):
            await session.execute(
                "insert into console.traffic (hour, front_end, capability, calls, took_us, by_bound)"
                " values ($1, 'north', $2, 1, 1, '{1}')",
                hour(at), name,
            )  # fmt: skip
    folders = {"north": company.root / "front_ends" / "north"}
    found = await report.measure(company.database, company.root, folders, [], ["till.sell"], NOW)
    (lead,) = found.leads
    assert (lead.begun, lead.first_write) == (MONDAY, hour(30))
    assert "  new: 30.0 h from its first commit to the first call that changed something" in list(report.text(found))


async def test_a_report_is_kept_and_the_last_one_is_read(company: Company):
    assert await report.last(company.database) is None
    await company.decide("deploy", 1, stable=company.here())
    found = await company.report()
    await report.keep(company.database, found)
    assert await report.last(company.database) == found


@given(st.lists(st.integers(min_value=-50, max_value=50), min_size=5, max_size=5), st.booleans())
def test_stages_add_up_to_the_whole_whatever_clocks_say(offsets: list[int], is_queued: bool):
    moments = [hour(one) for one in offsets]
    found = stages.hours_of(*moments, is_queued=is_queued)
    assert all(one >= 0 for one in found.values())
    assert sum(found.values()) == pytest.approx((max(moments) - moments[0]) / timedelta(hours=1))


def test_a_queue_of_which_nothing_is_served_has_no_wait_that_can_be_said():
    assert stages.queue_of(["a"], 0, timedelta(days=28)).expected_days is None
    assert stages.queue_of([], 0, timedelta(days=28)).expected_days == 0.0


def test_what_a_day_of_a_team_costs_is_an_amount(tmp_path: Path):
    settings = tmp_path / "isthmus.toml"
    settings.write_text('[cost]\nteam_day = "600 EUR"\n')
    assert load_config(settings).cost_team_day == "600 EUR"
    settings.write_text('[cost]\nteam_day = "much"\n')
    with pytest.raises(WrongConfig, match="cost.team_day = 'much'"):
        load_config(settings)
