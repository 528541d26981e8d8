"""Folders of a front end whose answers say which version they are, and what a test needs to deploy them."""

from __future__ import annotations

from pathlib import Path

from isthmus.kernel import Caller, Platform, ports
from isthmus.manifest.actions import Doer
from isthmus.runtime.deploy import deploy
from isthmus.runtime.deploy.context import Replay
from isthmus.runtime.deploy.follower import Follower
from isthmus.runtime.deploy.guardrails import RolloutMonitor
from isthmus.store import Database
from tests import shipped

MANIFEST = '''"""Says which version it is."""

from isthmus.kernel import FrontEnd

from . import answers, flows

FRONT_END = FrontEnd(
    code="{code}",
    name="{code}",
    owner="{code} team",
    uses=("pricing.*", "catalog.*"),
    answers=(answers.where,),
    capabilities=(flows.which, flows.part),
    implementations=(flows.tell_which, flows.tell_part),
    settings={settings},
)
'''
ANSWERS = '''"""One rule."""

from isthmus.kernel import answers
from isthmus.packs.pricing import api as pricing

VERSION = "{version}"


@answers(pricing.choose_locations)
def where(location: str) -> tuple[str, ...]:
    """Look for the price of this version."""
    {body}
    return (VERSION,)
'''
FLOWS = '''"""A flow that asks its front end's rule three times, with time for a switch in between."""

import asyncio
from uuid import UUID

from isthmus.kernel import Context, Effect, Value, capability, flow, implements
from isthmus.packs.pricing import api as pricing


class Ask(Value):
    """Ask which version answers."""

    wait_ms: int = 0
    member_id: UUID | None = None


class Told(Value):
    """What the rule said each time."""

    said: tuple[str, ...]


@capability("{code}.part", version="1.0", effect=Effect.READ)
def part(ask: Ask) -> Told:
    """Tell it from inside another call."""
    ...


@flow("{code}.which", version="1.0", effect=Effect.READ, uses=[part])
def which(ask: Ask) -> Told:
    """Tell which version answers, before, inside and after another call."""
    ...


@implements(part)
async def tell_part(ask: Ask, ctx: Context) -> Told:
    await asyncio.sleep(ask.wait_ms / 1000)
    return Told(said=ctx.answer(pricing.choose_locations)("x"))


@implements(which)
async def tell_which(ask: Ask, ctx: Context) -> Told:
    first = ctx.answer(pricing.choose_locations)("x")
    inside = await ctx.call(part, ask)
    last = ctx.acting_for(ctx.box).answer(pricing.choose_locations)("x")
    return Told(said=(*first, *inside.said, *last))
'''
TEST = """from front_ends.{folder} import answers


def test_it_says_its_version() -> None:
    assert answers.where.function("y") == ("{expected}",)
"""


def write(
    parent: Path, version: str, *, code: str = "north", body: str = "pass", settings: str = "{}", expected: str = ""
) -> Path:
    """Write a version of a front end below `parent`, over what was there, and return its folder."""
    folder = parent / code
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text("")
    (folder / "front_end.py").write_text(MANIFEST.format(code=code, settings=settings))
    (folder / "answers.py").write_text(ANSWERS.format(version=version, body=body))
    (folder / "flows.py").write_text(FLOWS.replace("{code}", code))
    (folder / "test_answers.py").write_text(TEST.format(folder=code, expected=expected or version))
    return folder


class Node:
    """A server process as far as switching goes: a platform, and what follows for it."""

    def __init__(self, database: Database, cache: Path) -> None:
        self.watch = RolloutMonitor()
        self.platform = Platform(shipped.build([]), database, observe=self.watch.see)
        self.follower = Follower(self.platform, database, cache, self.watch)

    async def which(self, code: str = "north", ask: bytes = b"{}", client: str = "shop") -> str:
        """Return the version that answers; a mixed call would say two."""
        caller = Caller(front_end=code, client=client)
        answer, _ = await self.platform.call_wire(f"{code}.which", ask, caller)
        return answer.decode()


def deploy_context(
    database: Database, cache: Path, replay: Replay | None = None, journal: ports.Journal | None = None
) -> deploy.DeployContext:
    return deploy.DeployContext(
        database=database, release=shipped.build([]), cache=cache, replay=replay, journal=journal
    )


def doer(name: str) -> Doer:
    """Return somebody who deploys, on a platform that keeps no journal."""
    return Doer(caller=Caller(front_end="north", client=name))


def said(version: str) -> str:
    """Return what `which` answers where one version answered all of it."""
    return f'{{"said":["{version}","{version}","{version}"]}}'


REQUEST = deploy.DeployRequest(made_by="ada")
