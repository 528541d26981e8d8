"""Versions that wait for another person: checked, tested and compared, and put in place when somebody else approves.

deploy, signed ──▶ waiting ──▶ approved by another, signed in or by signature ──▶ in place
                       └─────▶ refused, by whoever may deploy
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from isthmus.kernel import Value, errors, ports
from isthmus.manifest.actions import Doer
from isthmus.store import Database

PROPOSED: Final = "deploy.propose"  # in the journal
SHOWN_MAX: Final = 20  # that wait, of a front end: the first that is approved supersedes all others

_FIELDS: Final = """number, front_end, hash, digest, percent, shadow, findings, based_on, author, key, made_at, state,
    decided_by, decided_at, note"""
_ADD: Final = f"""
    insert into runtime.proposal (front_end, hash, digest, percent, shadow, findings, based_on, author, key)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning {_FIELDS}"""
_FIND: Final = f"select {_FIELDS} from runtime.proposal where front_end = $1 and number = $2"
_WAITING: Final = f"""
    select {_FIELDS} from runtime.proposal where state = 'waiting' and ($1::text is null or front_end = $1)
    order by number desc limit $2"""
_DECIDE: Final = """
    update runtime.proposal set state = $2, decided_by = $3, decided_at = now(), note = $4
    where number = $1 and state = 'waiting' returning number"""


class NoSuchProposal(errors.NotFound):
    """Nothing waits under this number."""

    slug = "runtime.no-such-proposal"

    def __init__(self, code: str, number: int) -> None:
        super().__init__(
            f"no version of front end {code!r} waits under the number {number}",
            remedy=f"see which do: isthmus versions {code}",
            path="number",
        )


class ProposalClosed(errors.Conflict):
    """It was approved or refused already."""

    slug = "runtime.proposal-closed"

    def __init__(self, number: int) -> None:
        super().__init__(f"what waited under the number {number} was decided already", remedy="see the history")


class Proposal(Value):
    """A version that waits, or waited. percent, shadow: as it is put in place. findings: what was seen of it.

    digest: of its files, which its author signed with `key`. based_on: the switch that it was compared with; 0: none.
    """

    front_end: str
    hash: str
    digest: str
    percent: int
    shadow: int
    findings: str
    based_on: int
    author: str
    key: str
    number: int = 0
    made_at: datetime | None = None
    state: Literal["waiting", "done", "refused"] = "waiting"
    decided_by: str = ""
    decided_at: datetime | None = None
    note: str = ""


async def propose(database: Database, new: Proposal, by: Doer) -> Proposal:
    """Have a version wait for another person: nothing of it runs. Its number and its time are the database's."""
    async with database.platform_transaction() as session:
        row = await session.fetch_row(
            _ADD, new.front_end, new.hash, new.digest, new.percent, new.shadow, new.findings, new.based_on, new.author,
            new.key,
        )  # fmt: skip
        made = _read(row, new.front_end, 0)
        said = {"version": new.hash, "number": made.number, "percent": new.percent, "key": new.key}
        await by.note(session, PROPOSED, said)
    return made


async def find(database: Database, code: str, number: int) -> Proposal:
    """Return one that waits. Raises NoSuchProposal, ProposalClosed."""
    async with database.platform() as session:
        found = _read(await session.fetch_row(_FIND, code, number), code, number)
    if found.state != "waiting":
        raise ProposalClosed(number)
    return found


async def waiting(database: Database, code: str | None = None) -> tuple[Proposal, ...]:
    """Return those that wait at one front end, or at all, the latest first."""
    async with database.platform() as session:
        rows = await session.fetch(_WAITING, code, SHOWN_MAX)
    return tuple(_read(row, code or "", 0) for row in rows)


async def decide(session: ports.Session, number: int, state: Literal["done", "refused"], by: str, note: str) -> None:
    """Close one, in the transaction of what follows. Raises ProposalClosed where somebody was faster."""
    if await session.fetch_value(_DECIDE, number, state, by, note[:200]) is None:
        raise ProposalClosed(number)


def _read(row: ports.Row | None, code: str, number: int) -> Proposal:
    if row is None:
        raise NoSuchProposal(code, number)
    return Proposal(**{name: row[name] for name in Proposal.__struct_fields__})
