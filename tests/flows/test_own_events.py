"""A front end's own events land under the contract that it declares, for it alone, and are forgotten as all else is."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest

from isthmus.app import platform as app_platform
from isthmus.data.lake.erasure import erase
from isthmus.data.platform import DataPlatform, open_platform
from isthmus.kernel import Caller, Context, Effect, FrontEnd, Value, capability, errors, event, implements, ports
from isthmus.markings import Pii, Ref
from isthmus.runtime.deploy.changes import events_compared
from isthmus.store import Outbox
from tests import shipped

from .conftest import SOUTH, Shop

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Praise(Value):
    """Who praises what, in which words."""

    sku: str
    member_id: UUID
    words: str = ""
    stars: int = 5


def line(code: str, *, is_declared: bool = True, scale: Any = int) -> FrontEnd:
    """Return a front end whose members praise what they bought; each praise is an event of its own."""

    @event(f"{code}.praised", version="1.0", subject="sku")
    class Praised(Value):
        """Somebody liked something."""

        sku: str
        member_id: Annotated[UUID, Ref("member.membership")]
        words: Annotated[str, Pii("free-text", why="to know it")]
        stars: scale  # pyright: ignore[reportInvalidTypeForm]

    @capability(f"{code}.praise", version="1.0", effect=Effect.WRITE)
    def praise(ask: Praise) -> Praise:
        """Say what is good."""
        ...

    @implements(praise)
    async def do_praise(ask: Praise, ctx: Context) -> Praise:
        ctx.emit(Praised(sku=ask.sku, member_id=ask.member_id, words=ask.words, stars=scale(ask.stars)))
        return ask

    return FrontEnd(
        code=code, name=code, owner=f"{code} team", capabilities=(praise,), implementations=(do_praise,),
        events=(Praised,) if is_declared else (),
    )  # fmt: skip


@pytest.fixture
def data(shop: Shop, tmp_path: Path) -> DataPlatform:
    """Give a data platform over a shop whose two front ends have events of their own."""
    shop.platform.release = shipped.build([line("north"), line("south")])
    packs = shipped.PACKS
    return open_platform(packs, tmp_path / "lake", declared=lambda: app_platform.declared(shop.platform.release))


async def praised(shop: Shop, caller: Caller, sku: str, member: UUID | None = None, stars: int = 5) -> None:
    called = shop.platform.release.line(caller.front_end).find(f"{caller.front_end}.praise").capability
    ask = Praise(sku=sku, member_id=member or uuid4(), words=f"good {sku}", stars=stars)
    await shop.platform.call(called, ask, caller)


def rows(data: DataPlatform, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in data.lake.newest().read(sql).to_pylist()]


async def test_an_event_that_a_front_end_declares_lands_under_its_contract_for_that_front_end_alone(
    shop: Shop, data: DataPlatform
) -> None:
    await praised(shop, shop.north, "tea")
    await praised(shop, shop.south, "jam", stars=4)
    landing = await data.lander(shop.database).land()
    assert landing.quarantined == {}
    shown = "select event_front_end, sku, stars, words from events.{}"
    assert rows(data, shown.format('"north.praised"')) == [("north", "tea", 5, "good tea")]
    assert rows(data, shown.format('"south.praised"')) == [("south", "jam", 4, "good jam")]


async def test_nobody_else_lands_an_event_under_a_front_ends_contract(shop: Shop, data: DataPlatform) -> None:
    forged = ports.EventRow(
        id="x", type="north.praised", version="1.0", subject="tea", front_end="south", box="south", time=NOW, trace="t",
        data=b'{"sku":"tea","member_id":"00000000-0000-0000-0000-00000000000a","words":"","stars":1}',
    )  # fmt: skip
    await (await shop.database.write("south", None)).commit([forged], None)
    assert (await data.lander(shop.database).land()).quarantined == {"north.praised": 1}
    assert rows(data, "select source, owner, reason from lake.quarantine") == [
        ("north.praised", "south team", "neither a pack nor front end 'south' declares this event")
    ]


async def test_an_event_that_is_not_declared_is_refused_where_it_is_emitted_with_the_line_to_write(shop: Shop) -> None:
    shop.platform.release = shipped.build([line("north", is_declared=False), SOUTH])
    before = await Outbox(shop.database).newest()
    said = r"'north' emits 'north.praised', which neither a pack .* declares; write FrontEnd\(events=\(Praised,\), …\)"
    with pytest.raises(errors.Fault, match=said):
        await praised(shop, shop.north, "tea")
    assert await Outbox(shop.database).newest() == before


async def test_what_landed_stays_when_a_later_version_shapes_the_event_otherwise(
    shop: Shop, data: DataPlatform
) -> None:
    await praised(shop, shop.north, "tea", stars=5)
    await data.lander(shop.database).land()
    shop.platform.release = shipped.build([line("north", scale=str), SOUTH])
    await praised(shop, shop.north, "jam", stars=4)
    assert (await data.lander(shop.database).land()).quarantined == {}
    assert rows(data, 'select sku, stars from events."north.praised" order by sku') == [("jam", "4"), ("tea", "5")]


async def test_what_an_earlier_version_emitted_and_none_declares_any_more_is_kept_with_the_front_ends_owner(
    shop: Shop, data: DataPlatform
) -> None:
    await praised(shop, shop.north, "tea")
    shop.platform.release = shipped.build([line("north", is_declared=False), SOUTH])
    assert (await data.lander(shop.database).land()).quarantined == {"north.praised": 1}
    assert rows(data, "select owner from lake.quarantine") == [("north team",)]


@pytest.mark.parametrize("is_still_declared", [True, False])
async def test_an_erased_person_is_in_no_front_ends_own_events(
    shop: Shop, data: DataPlatform, is_still_declared: bool
) -> None:
    gone, stays = uuid4(), uuid4()
    await praised(shop, shop.north, "tea", gone)
    await praised(shop, shop.north, "jam", stays)
    await data.lander(shop.database).land()
    shop.platform.release = shipped.build([line("north", is_declared=is_still_declared), SOUTH])
    erase(data.lake, "member.membership", {"front_end": "north", "member_id": gone}, NOW)
    (kept,) = rows(
        data, "select count(*), count(*) filter (data like '%good tea%') from lake.events where type = 'north.praised'"
    )
    assert kept == (2, 0)
    assert rows(data, "select sku, words from events.\"north.praised\" where words like 'good%'") == [
        ("jam", "good jam")
    ]


def test_a_deploy_says_which_events_a_version_adds_drops_and_shapes_otherwise() -> None:
    none, first, other = (
        shipped.build([front_end]).line("north")
        for front_end in (line("north", is_declared=False), line("north"), line("north", scale=str))
    )
    assert events_compared(none, first) == ["new: event north.praised"]
    assert events_compared(first, other) == [
        "changed: event north.praised; what was emitted before may not fit it: a new name is safer"
    ]
    assert events_compared(first, none) == [
        "gone: event north.praised; what was emitted and has not landed goes to quarantine"
    ]
    assert events_compared(first, first) == []


def test_an_event_that_cannot_land_is_refused_with_what_to_write() -> None:
    named: Callable[..., Any] = lambda name: event(name, version="1.0", subject="sku")  # noqa: E731

    @named("south.praised")
    class Praised(Value):
        sku: str

    @named("north.found'; drop")
    class FoundOut(Value):
        sku: str

    class Shelf:
        """No Value: JSON has no words for it."""

    @named("north.put-back")
    class PutBack(Value):
        sku: str
        shelf: Shelf

    @named("north.seen")
    class Seen(Value):
        sku: str

    @named("north.seen")
    class SeenAgain(Value):
        sku: str

    wrong = FrontEnd(code="north", name="n", owner="n", events=(Praised, FoundOut, PutBack, Seen, SeenAgain, Praise))
    with pytest.raises(errors.BuildProblems) as problems:
        shipped.build([wrong])
    said = str(problems.value)
    assert "has the event Praised called 'south.praised'; call it 'north.praised'" in said
    assert "has the event FoundOut called \"north.found'; drop\"; call it 'north.found-out'" in said
    assert "has the event SeenAgain called 'north.seen', as another is" in said
    assert "has the event PutBack, which JSON cannot carry" in said
    assert "has the event Praise, which is not declared with @event" in said
