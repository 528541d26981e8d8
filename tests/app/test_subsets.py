"""A platform of any of the packs: every set that the rules of dependency allow fits together (decision 0096).

Which flows run is tried over every set. That what runs also compiles follows for all sets from three tests: all packs
together compile; what fits with all fits without some, whatever the platform; each part and each pair stands alone.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from types import ModuleType
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from isthmus.app import packs as door
from isthmus.app.config import Config, load_config
from isthmus.app.forgetting import NAME, forgetting
from isthmus.app.packs import lacking, plugging
from isthmus.app.platform import build, migration_sources
from isthmus.data.model.model import read_packs
from isthmus.kernel import Context, Effect, FrontEnd, Pack, Registry, Value, errors, flow, implements
from isthmus.manifest import Personal
from isthmus.markings import Count, Derived, Key, Ref, entity
from tests import shipped

PARTS = {pack.name: pack for pack in shipped.PACKS if pack.name != NAME}  # NAME is made of the others
OFFERS = {name: {one.name for one in pack.capabilities().values()} for name, pack in PARTS.items()}
USES = {name: {one.name for own in PARTS[name].capabilities().values() for one in own.uses} for name in PARTS}
NEEDS = {name: {one.partition(".")[0] for one in uses} - {name} for name, uses in USES.items()}
FORGETFUL = {  # they keep something of persons
    name for name, pack in PARTS.items() if any(isinstance(one, Personal) and one.forgets for one in pack.brings)
}
SETS_MAX = 2**17  # tried one by one in seconds


def closed(names: Iterable[str]) -> frozenset[str]:
    """Return these parts and what they need, and what that needs."""
    found = frozenset(names)
    more = found.union(*(NEEDS[name] for name in found))
    return found if more == found else closed(more)


def sets_of(names: Iterable[str]) -> Iterator[frozenset[str]]:
    """Yield every set of some of them."""
    names = sorted(names)
    for size in range(len(names) + 1):
        yield from map(frozenset, itertools.combinations(names, size))


def test_a_flow_runs_where_all_that_it_needs_is_there_and_nowhere_else_over_every_set_of_packs() -> None:
    """Packs that no flow uses, and that use none, change nothing for anybody: they are there throughout.

    Packs that the same flows use come and go together, and each of them alone.
    """
    flows = {name: closed([name]) - {name} for name, needed in NEEDS.items() if needed}
    looked_up = set().union(*USES.values())
    needed = set().union(*flows.values()) - flows.keys()
    users = {one: frozenset(name for name, needs in flows.items() if one in needs) for one in needed}
    alike = {min(group): group for one in needed if (group := {two for two in needed if users[two] == users[one]})}
    assert 2 ** len(alike) <= SETS_MAX
    together = (set().union(*(alike[one] for one in some)) for some in sets_of(alike))
    offers = {name: frozenset(offered & looked_up) for name, offered in OFFERS.items()}
    for left_out in (*together, *({one} for one in needed)):
        uses = {name: used for name, used in USES.items() if name not in left_out}
        expected = {name for name, needs in flows.items() if needs & left_out}
        assert lacking({name: offers[name] for name in uses}, uses).keys() == expected, sorted(left_out)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Config:
    """Give the settings; what is looked up in folders and texts of manifests is looked up once, and tried elsewhere."""
    found = functools.cache(lambda name: tuple(door_found(name, [], [])))
    door_found = door._found
    monkeypatch.setattr(door, "_found", lambda name, *_: found(name))
    monkeypatch.setattr(door, "unwritten", lambda *_: ())
    return load_config()


def test_each_part_and_each_two_stand_alone_and_all_stand_without_each(quick: Config) -> None:
    """So what a part reads of others without saying so (a name, an event, a table) is found missing."""
    alone = [closed(pair) for pair in itertools.combinations(PARTS, 2)] + [closed([name]) for name in PARTS]
    without = [frozenset(other for other in PARTS if name not in closed([other])) for name in PARTS]
    for kept in dict.fromkeys([*alone, *without, frozenset()]):
        fitting, wrong = plugging(replace(quick, leave_out=tuple(sorted(PARTS.keys() - kept))))
        assert wrong == [], sorted(kept)
        assert {pack.name for pack in fitting} == kept | ({NAME} if FORGETFUL & kept else set()), sorted(kept)
        north = FrontEnd(code="north", name="N", owner="n", uses=tuple(f"{pack.name}.*" for pack in fitting))
        build(fitting, [north])
        model = read_packs(fitting)
        targets = {ref.target for one in model.entities.values() for ref in one.references}
        named = {name.partition(".")[0] for name in (*model.entities, *model.metrics, *targets)}
        assert named <= kept, "what refers to a pack that is not there goes with it"
        migrated = {source.pack for source in migration_sources(fitting)} & PARTS.keys()
        assert migrated == {name for name in kept if PARTS[name].migrations}, sorted(kept)


NAMES = ("north", "east", "south", "west")
FAULTS = ("twice", "unbound", "misnamed", "unmarked", "same-metric", "wrong-metric")


class Ask(Value):
    """Ask."""


def made(name: str, uses: list[Any], refers: list[str], counts: list[str], is_deep: bool, faults: Set[str]) -> Pack:
    """Return a pack of one capability, one entity and a metric or two, with faults."""

    def work(ask: Ask) -> Ask:
        """Work."""
        ...

    found = flow(f"{name}.{'wrok' if 'misnamed' in faults else 'work'}", version="1.0", effect=Effect.READ, uses=uses)(
        work
    )

    @implements(found)
    async def run(ask: Ask, ctx: Context) -> Ask:
        return ask

    hints: dict[str, Any] = {"row": str if "unmarked" in faults else Annotated[str, Key()]}
    hints |= {one: Annotated[str | None, Ref(f"{one}.row")] for one in refers}
    row = entity(f"{name}.row", table=f"{name}.row")(type("Row", (Value,), {"__annotations__": hints}))
    metrics: list[object] = [Count(name=f"{name}.rows", of=f"{name}.row", doc="Rows.")]
    metrics += [Count(name=f"{name}.of-{one}", of=f"{one}.row", doc="Rows of another.") for one in counts]
    metrics += [
        Derived(name=f"{name}.derived", of=f"{one}.{'derived' if is_deep else 'rows'}", doc="Of another.")
        for one in counts[:1]
    ]
    if "same-metric" in faults:
        metrics.append(metrics[0])
    if "wrong-metric" in faults:
        metrics.append(Count(name=f"{name}.nothing", of=f"{name}.nothing", doc=""))
    api, service = ModuleType("api", "Works."), ModuleType("service")
    api.work, service.run = found, run  # type: ignore[attr-defined]
    services = (service,) if "unbound" not in faults else ()
    return Pack(
        name="north" if "twice" in faults else name,
        owner="n",
        api=api,
        service=services,
        entities=(row,),
        metrics=tuple(metrics),
    )


some = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)


@st.composite
def platforms(draw: st.DrawFn) -> list[Pack]:
    """Draw packs that use, refer to and count one another, most of them without a fault."""
    packs: list[Pack] = []
    for name in NAMES:
        faults = draw(st.sets(st.sampled_from(FAULTS), max_size=1)) if draw(st.integers(0, 9)) == 0 else set[str]()
        uses = [one.capabilities()["work"] for one in packs if draw(st.booleans())]
        refers, counts = ([one for one in draw(some) if one != name] for _ in range(2))
        packs.append(made(name, uses, refers, counts, draw(st.booleans()), faults))
    return packs


def problems(packs: Iterable[Pack]) -> list[str]:
    """Return what the door, the kernel and the data model have to say of packs."""
    packs, found = tuple(packs), list[str]()
    for check in (lambda: Registry().add(*packs, *forgetting(packs)).freeze(), lambda: read_packs(packs)):
        try:
            check()
        except errors.BuildProblems as wrong:
            found += wrong.problems
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(platforms())
def test_what_fits_with_all_packs_fits_without_some_on_any_platform(packs: list[Pack]) -> None:
    whole = problems(packs)
    event("fits" if not whole else "does not")
    for kept in sets_of(map(str, range(len(packs)))):
        some = [packs[int(at)] for at in kept]
        names = {pack.name for pack in some}
        uses = {part.pack for pack in some for one in pack.capabilities().values() for part in one.uses}
        if uses <= names and not whole:
            assert problems(some) == [], sorted(names)
