"""Approve or refuse a version that waits: by another person than proposed it, with everything looked at again."""

from __future__ import annotations

from typing import Final

from isthmus.kernel import errors
from isthmus.manifest.actions import Doer

from ..shadow import shadow as shadows
from . import proposals, signatures, versions, vouching
from . import rollout as switches
from .context import DeployContext
from .deploy import migrate_own_in
from .proposals import Proposal
from .rollout import Superseded, Switched
from .signatures import Signature

APPROVE: Final = "deploy.approve"  # in the journal
REFUSE: Final = "deploy.refuse"

_SIGNATURE: Final = """
    select public_key, statement, signature from runtime.signature
    where front_end = $1 and hash = $2 and act = 'deploy' and person = $3 and key = $4 order by id desc limit 1"""


class NeedsAnother(errors.NotPermitted):
    """Whoever proposed a version does not approve it, and nobody does who is not known as a person."""

    slug = "runtime.needs-another"

    def __init__(self, *, number: int, author: str) -> None:
        super().__init__(
            f"proposal {number} is of {author}, and another person has to approve it",
            remedy="ask somebody else who may deploy, signed in at the console or with a key of their own",
            path="number",
        )


async def approve_signed(
    context: DeployContext, code: str, number: int, sent: Signature, by: Doer, note: str = ""
) -> Switched | None:
    """Approve by a signature, through whatever client `by` is. See `approve`."""
    try:
        found = await proposals.find(context.database, code, number)
        signed = await vouching.vouched(
            context, code, "approve", found.digest, sent, by.caller, proposal=number, front_end=code
        )
    except errors.IsthmusError as refused:
        await by.note_refused(context.database, APPROVE, refused.slug, {"number": number})
        raise
    done = await approve(context, code, number, signed.doer(by), note)
    async with context.database.platform_transaction() as session:
        await signatures.keep(session, code, found.hash, "approve", signed.signer, sent, signed.said)
    return done


async def approve(context: DeployContext, code: str, number: int, by: Doer, note: str = "") -> Switched | None:
    """Put in place what waits, or in the shadow; `by` is a person who was proved: signed in, or by a signature.

    Raises NoSuchProposal, ProposalClosed, NeedsAnother, Superseded where something else was put in place since it was
    compared, NotPermitted where its author's key was taken back meanwhile, WorkersNotReady.
    """
    try:
        async with switches.alone(context.database, code):
            return await _approved(context, code, number, by, note)
    except errors.IsthmusError as refused:
        await by.note_refused(context.database, APPROVE, refused.slug, {"number": number})
        raise


async def _approved(context: DeployContext, code: str, number: int, by: Doer, note: str) -> Switched | None:
    found = await proposals.find(context.database, code, number)
    if not by.caller.person or by.caller.person == found.author:
        raise NeedsAnother(number=number, author=found.author)
    held = await switches.current(context.database, code)
    if (held.id if held else 0) != found.based_on:
        raise Superseded(
            f"front end {code!r} was switched by {held.made_by if held else 'nobody'} since proposal {number} was "
            "compared with what ran",
            remedy="deploy it again: it is compared with what runs now",
        )
    await _check_author(context, found)
    async with versions.as_signed(context.database, code, found.hash, found.digest) as folder:
        if found.shadow:
            await shadows.declare(context.database, code, found.hash, percent=found.shadow, by=by, approved=found)
            return None
        await migrate_own_in(context, code, folder)
    return await switches.put(
        context.database, code, found.hash, percent=found.percent, by=by, expected=held.id if held else None,
        reason=note, approved=found,
    )  # fmt: skip


async def refuse(context: DeployContext, code: str, number: int, by: Doer, note: str = "") -> None:
    """Close what waits without putting it in place: whoever may deploy does, its author too."""
    found = await proposals.find(context.database, code, number)
    async with context.database.platform_transaction() as session:
        await proposals.decide(session, found.number, "refused", by.name, note)
        await by.note(session, REFUSE, {"number": number, "version": found.hash, "reason": note})


async def _check_author(context: DeployContext, found: Proposal) -> None:
    """Raise NotPermitted where who signed may sign no more, or what is kept of it is not their signature."""
    signer = await vouching.signers_of(context).signer(found.key)
    async with context.database.platform() as session:
        row = await session.fetch_row(_SIGNATURE, found.front_end, found.hash, found.author, found.key)
    said = row["statement"] if row is not None and signer.person.name == found.author else ""
    is_over_it = f"\nfiles {found.digest}\n" in said
    if row is None or not is_over_it or not signatures.is_signed(signer.public_key, row["signature"], said.encode()):
        raise signatures.BadSignature(
            f"what is kept of proposal {found.number} is no signature of {found.author} over these files",
            remedy="refuse it, and find out who could write to runtime.proposal",
        )
