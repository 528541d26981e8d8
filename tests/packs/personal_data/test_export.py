"""All that is held of a person is taken out by who may, from every front end and service, and it is written down."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from isthmus.kernel import Caller, Effect, FrontEnd, Pack, Platform, Value, capability, errors, implements, ports
from isthmus.manifest.kept import Gives
from isthmus.packs.audit.pack import PACK as AUDIT
from isthmus.packs.audit.service.journal import Journal
from isthmus.packs.member import api as member
from isthmus.packs.member.pack import PACK as MEMBER
from isthmus.packs.personal_data import api
from isthmus.packs.personal_data.commands import commands
from isthmus.packs.personal_data.pack import PACK
from isthmus.packs.personal_data.service.export import export_person
from isthmus.packs.personal_data.service.readable import page_of
from isthmus.packs.personal_data.service.register import Registry
from isthmus.packs.policy.service.policies import DEFAULT, Policies
from isthmus.store import Database

ADA = Caller(front_end="*", client="console", via="console", person="ada", roles=("operator",))
BOB = ADA.replace(person="bob", roles=("support",))
MakePlatform = Callable[..., Awaitable[Platform]]


class Customer(Value):
    """Whom to look for."""

    id: str


class Kept(Value):
    """What the service keeps."""

    nickname: str


class NoCustomer(errors.NotFound):
    """The service has nobody like this."""

    slug = "erp.no-customer"


@capability("erp.get-customer", version="1.0", effect=Effect.READ, raises=[NoCustomer])
def get_customer(ask: Customer) -> Kept:
    """Return what the service keeps of somebody."""
    ...


KNOWN: dict[str, str] = {}


@implements(get_customer)
async def _get_customer(ask: Customer, ctx: object) -> Kept:
    if ask.id not in KNOWN:
        raise NoCustomer(f"no customer {ask.id!r}", remedy="none needed")
    return Kept(nickname=KNOWN[ask.id])


def erp() -> Pack:
    found, service = ModuleType("erp", "A service."), ModuleType("service")
    found.get_customer, service.get_customer = get_customer, _get_customer  # type: ignore[attr-defined]
    gives = Gives(call=get_customer, field="id")
    return Pack(name="erp", owner="erp", api=found, service=(service,), brings=(gives,))


@dataclass
class Group:
    """Two front ends whose members are one person, and one who is somebody else."""

    platform: Platform
    registry: Registry
    here: UUID
    there: UUID

    async def export(self, caller: Caller = ADA, **whom: Any) -> api.PersonExport:
        return await export_person(self.platform, self.registry, api.Whom(**whom), caller)

    async def written(self) -> list[dict[str, Any]]:
        async with self.registry.database.platform() as session:
            rows = await session.fetch("select content from audit.pending order by 1")
        said = [json.loads(row["content"]) for row in rows]
        return [one for one in said if one["capability"] == "persons.export"]


@pytest.fixture
async def group(make_platform: MakePlatform, database_url: str, tmp_path: Path) -> AsyncIterator[Group]:
    front_ends = [FrontEnd(code=code, name=code, owner=code, uses=("member.*", "erp.*")) for code in ("north", "south")]
    service = erp()
    policies = Policies((MEMBER, service, PACK), [("default", DEFAULT.read_text())])
    async with await Database.open(database_url) as database:
        resources = {ports.Guard: policies, ports.Journal: Journal(database)}
        platform = await make_platform(AUDIT, MEMBER, service, PACK, *front_ends, resources=resources)
        registry = Registry(database=database, lake=tmp_path / "no lake")

        async def join(code: str, email: str, name: str) -> UUID:
            identity = member.Identity(kind="email", value=email, is_verified=True)
            ask = member.Register(identities=(identity,), profile=member.Profile(given_name=name))
            return (await platform.call(member.register, ask, Caller(front_end=code, client="till"))).member_id

        here, there = await join("north", "ann@example.org", "Ann"), await join("south", "ann@example.org", "Änni <b>")
        await join("south", "eve@example.org", "Eve")
        KNOWN.clear()
        KNOWN[str(there)] = "annie"
        yield Group(platform, registry, here, there)


def text(export: api.PersonExport) -> str:
    return "\n".join(str(row) for one in export.held for row in one.rows)


async def test_one_id_or_one_address_finds_somebody_at_every_front_end(group: Group) -> None:
    for found in (await group.export(member_ids=(group.here,)), await group.export(emails=(" ANN@example.org",))):
        said = text(found)
        assert {"north", "south"} == {
            row["front_end"] for one in found.held if one.where == "member.membership" for row in one.rows
        }
        assert ("Ann" in said, "Änni" in said, "Eve" in said, "eve@example.org" in said) == (True, True, False, False)
        assert found.emails == ("ann@example.org",)


async def test_a_service_is_asked_for_each_id_and_what_it_does_not_know_is_left_out(group: Group) -> None:
    (given,) = (one for one in (await group.export(member_ids=(group.here,))).held if one.owner == "erp")
    assert (given.where, [row["nickname"] for row in given.rows]) == ("erp.get-customer", ["annie", "annie"])


async def test_who_may_not_is_given_nothing(group: Group) -> None:
    with pytest.raises(errors.NotPermitted, match="'bob' as support may not persons.export"):
        await group.export(BOB, member_ids=(group.here,))
    assert await group.written() == []


async def test_each_export_is_written_down_and_the_entry_says_who_and_no_personal_data(group: Group) -> None:
    found = await group.export(member_ids=(group.here,), emails=("ann@example.org",))
    (entry,) = await group.written()
    assert (entry["person"], entry["front_end"]) == ("ada", "*")
    assert str(group.here) in json.dumps(entry)
    assert str(sum(len(one.rows) for one in found.held)) in json.dumps(entry)
    assert "ann" not in json.dumps(entry).lower()


async def test_nothing_is_given_that_could_not_be_written_down(group: Group) -> None:
    class Full(Journal):
        def act(self, name: str, caller: Any, said: Any, outcome: str) -> tuple[Any, ...]:
            return ("insert into audit.gone values (1)",)

    group.platform.journal = Full(group.registry.database)
    with pytest.raises(Exception, match="gone"):
        await group.export(member_ids=(group.here,))


async def test_nobody_is_found_by_an_address_that_nobody_has(group: Group) -> None:
    with pytest.raises(api.NobodyLikeThis, match="nothing is held of this person"):
        await group.export(emails=("nobody@example.org",))


async def test_a_person_has_to_be_named(group: Group) -> None:
    with pytest.raises(api.NobodyNamed, match="nobody is named") as refused:
        await group.export()
    assert "--member" in refused.value.remedy


async def test_a_page_says_it_to_a_person_and_runs_nothing(group: Group) -> None:
    page = page_of(await group.export(member_ids=(group.here,)))
    assert "Änni &lt;b&gt;" in page
    assert "<b>" not in page
    assert "what a front end knows of its member" in page


def test_the_command_writes_a_file_that_nobody_else_on_the_machine_reads(
    group: Group, database_url: str, tmp_path: Path
) -> None:
    @dataclass
    class Opened:
        platform: Platform
        database: Database

        def resource(self, kind: type[Any]) -> Any:
            return replace(group.registry, database=self.database)

    @asynccontextmanager
    async def opening() -> AsyncIterator[Any]:
        async with await Database.open(database_url) as database:
            yield Opened(Platform(group.platform.release, database), database)

    for file in (tmp_path / "ann.json", tmp_path / "ann.html"):
        ask = ["export-person", "ann@example.org", "--member", str(group.there), "--to", str(file)]
        result = CliRunner().invoke(commands(opening), ask)
        assert result.exit_code == 0, result.output
        assert f"place(s) in {file}" in result.output.replace("\n", "")
        assert file.stat().st_mode & 0o077 == 0
        assert "Änni" in file.read_text()
    assert json.loads((tmp_path / "ann.json").read_text())["emails"] == ["ann@example.org"]
