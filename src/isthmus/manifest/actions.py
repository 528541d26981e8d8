"""What can be done here that is no capability: by the console's pages, by deploys, by questions to the lake.

The Guard is asked about it as about a capability, at a front end, or over all of them (`EVERYWHERE`); policies name it
so: `Action::"deploy.write"`, in `Action::"write"` and `Action::"deploy.*"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from isthmus.kernel import Caller, Capability, Effect, Platform, ports

if TYPE_CHECKING:
    from isthmus.store import Database

EVERYWHERE: Final = "*"  # the resource, and the chain of the journal, of what is of no single front end


@dataclass(frozen=True, slots=True)
class Action:
    """Something that may be done or not: as a Guard sees it, like a capability."""

    name: str
    effect: Effect
    doc: str

    @property
    def pack(self) -> str:
        """Return the part before the dot, which policies name as `Action::"deploy.*"`."""
        return self.name.partition(".")[0]


LOOK: Final = Action("console.look", Effect.READ, "See what runs: the map, front ends, capabilities, jobs, cost.")
READ_CALLS: Final = Action("calls.read", Effect.READ, "See recorded calls, with what was asked and answered.")
READ_DEPLOYS: Final = Action("deploy.read", Effect.READ, "See versions, and what was decided of them.")
DEPLOY: Final = Action("deploy.write", Effect.WRITE, "Deploy, promote, roll back, and run a version in the shadow.")
RESEND: Final = Action("events.resend", Effect.WRITE, "Have dead letters delivered again.")
WITHDRAW: Final = Action("sharing.withdraw", Effect.WRITE, "Take back what one front end shares with another.")
ASK: Final = Action("data.ask", Effect.READ, "Ask for metrics, and see receipts, lineage and quality.")
CARE: Final = Action("data.write", Effect.WRITE, "Land and check data, and decide who is one person.")
READ_EVENTS: Final = Action("events.read", Effect.READ, "Read the feed of events, and say how far a group is.")
READ_FIGURES: Final = Action("metrics.read", Effect.READ, "Scrape the figures of the platform, of all front ends.")
READ_PEOPLE: Final = Action("people.read", Effect.READ, "See who of staff may sign in, and as what.")
SHARE: Final = Action(
    "people.share", Effect.WRITE, "Give somebody a role of an order, a seller or a front end for a time."
)
ADMINISTER: Final = Action("people.write", Effect.WRITE, "Invite people, give and take roles, sign others out.")
READ_PERSONAL: Final = Action("persons.read", Effect.READ, "See which personal data is kept, why, and who reads it.")
EXPORT_PERSON: Final = Action("persons.export", Effect.WRITE, "Take out all that is kept of a person.")
SEE_PERSONAL: Final = Action("persons.see", Effect.WRITE, "See personal data on pages as it is, and not masked.")
REVEAL_PERSONAL: Final = Action("persons.reveal", Effect.WRITE, "See a page once as it is, for a reason that is kept.")

ACTIONS: Final = (
    LOOK, READ_CALLS, READ_DEPLOYS, DEPLOY, RESEND, WITHDRAW, ASK, CARE, READ_EVENTS, READ_FIGURES,
    READ_PEOPLE, SHARE, ADMINISTER, READ_PERSONAL, EXPORT_PERSON,
    SEE_PERSONAL, REVEAL_PERSONAL,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Doer:
    """Who does what is no capability's call, and the journal that keeps it; without one no entry is kept."""

    caller: Caller
    journal: ports.Journal | None = None

    @property
    def name(self) -> str:
        """Return what histories call them: the person where one is signed in, else the client."""
        return self.caller.person or self.caller.client

    async def note(self, session: ports.Session, act: str, said: Mapping[str, Any], outcome: str = "done") -> None:
        """Write an entry in the transaction of what was done; none of what is said is personal."""
        if self.journal is not None:
            statement, *arguments = self.journal.act(act, self.caller, said, outcome)
            await session.execute(statement, *arguments)

    async def note_refused(
        self, database: Database, act: str, slug: str, said: Mapping[str, Any] | None = None
    ) -> None:
        """Write an entry that something was refused, when nothing of it is left."""
        if self.journal is not None:
            async with database.platform() as session:
                await self.note(session, act, said or {}, slug)


async def check(platform: Platform, caller: Caller, action: Action | Capability[Any, Any]) -> str:
    """Return the parts of the front end that it is confined to; nothing: to none.

    Raise NotPermitted where the platform's policies, or those of the caller's front end, do not permit it.
    """
    if platform.guard is None:
        return ""
    line = platform.release.lines.get(caller.front_end)
    return await platform.guard.check(caller, action, line.front_end.settings if line else {})
