"""The ladder with the ventures on its lowest rung: what each owes there, and what is left until it is a front end."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from isthmus.governance.ladder.rungs import Criterion, Standing
from isthmus.kernel import Caller, Platform, Value, errors
from isthmus.manifest import Place
from isthmus.packs.venture import api as venture
from isthmus.store import Database

from .mapping import mapping_of

LICENCE_DAYS: Final = 2 * 366  # a year at most, renewed once
OBLIGATIONS: Final = 4


class Audits(Value):
    """What nobody can observe: the day on which each pack was audited from outside last."""

    audited: dict[str, date] = {}


class Ladder:
    """Reads where ventures and packs stand, from what was observed of them."""

    def __init__(self, database: Database, charters: venture.Charters, audits: Audits) -> None:
        self._database = database
        self._charters = charters
        self._audited = audits.audited

    async def read(self, platform: Platform, now: datetime | None = None) -> list[Standing]:
        """Return every venture and every pack on its rung, ventures first. A charter that is wrong is a notice."""
        at = now or datetime.now(UTC)
        outside = [await self._venture(platform, code, at.date()) for code in self._charters.codes()]
        from isthmus.governance.ladder.facts import ladder  # here: it reads all code, and a server hardly ever does

        return [*outside, *await ladder(self._database, platform.release, self._audited, at)]

    async def _venture(self, platform: Platform, code: str, today: date) -> Standing:
        try:
            caller = Caller(front_end=code, client="ladder", via="cli")
            found = await platform.call(venture.get_standing, venture.GetStanding(), caller)
            switched = await platform.call(venture.list_operations, venture.ListOperations(), caller)
            known = mapping_of(self._charters.folder / code).operations
        except errors.IsthmusError as wrong:
            return Standing(
                code=code, kind="venture", owner="", rung="independent", next="sandbox", criteria=(),
                notice=wrong.message,
            )  # fmt: skip
        by_platform = {one.operation for one in switched.items if one.answered_by == "platform"}
        mapped = [name for name, one in known.items() if not one.leave]
        return venture_standing(found, len(by_platform.intersection(mapped)), len(mapped), today)


def ladder_at(place: Place) -> Ladder:
    """Return the ladder over a platform's database and charters."""
    return Ladder(place.database, venture.charters_at(place), place.settings)


def venture_standing(found: venture.Standing, switched: int, operations: int, today: date) -> Standing:
    """Return where a venture stands: on the lowest rung until the platform answers each of its operations."""
    charter = found.charter
    owes: tuple[tuple[str, float, float, bool], ...] = (
        ("obligations", OBLIGATIONS, sum(one.is_met for one in found.findings), False),
        ("charter-left", 0, (charter.ends - today).days, False),
        ("licence", LICENCE_DAYS, (charter.ends - charter.starts).days, True),
    )
    # nothing can be said of joining where no operation was written down
    needed: tuple[tuple[str, float, float | None, bool], ...] = (
        ("switched", max(operations, 1), switched if operations else None, False),
    )
    criteria = [
        Criterion(rung="independent", name=name, needed=least, seen=seen, before=None, is_limit=is_limit)
        for name, least, seen, is_limit in owes
    ]
    if found.left_by == "graduated":
        return Standing(
            code=charter.code, kind="venture", owner=charter.sponsor, rung="sandbox", next="incubating", criteria=(),
            notice="graduated",
        )  # fmt: skip
    criteria += [
        Criterion(rung="sandbox", name=name, needed=least, seen=seen, before=None, is_limit=is_limit)
        for name, least, seen, is_limit in needed
    ]
    return Standing(
        code=charter.code,
        kind="venture",
        owner=charter.sponsor,
        rung="independent",
        next=None if found.left_by else "sandbox",
        criteria=tuple(criteria),
        falls=not found.left_by and any(not one.holds for one in criteria if one.rung == "independent"),
        notice=_notice(found),
    )


def _notice(found: venture.Standing) -> str:
    if found.left_by:
        return "ended"
    if found.is_lapsed:
        return "lapsed"
    if found.kill_on:
        return "killed"
    return "" if sum(one.is_met for one in found.findings) == OBLIGATIONS else "owes"
