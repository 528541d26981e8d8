"""What a front end asks of who deploys it: nothing, a person's signature, or that and another person's approval.

    settings={"deploy.signed": "yes"}        a person signs, with a key of their own
    settings={"deploy.four-eyes": "yes"}     that, and another person approves before it is in place

What runs says so, and what is sent says so too: a version that asks for less needs what the one before it asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from isthmus.kernel import Caller, errors
from isthmus.manifest.actions import DEPLOY, Doer
from isthmus.manifest.signers import Signer, Signers

from . import rollout as switches
from . import signatures, versions
from .context import DeployContext
from .rollout import Rollout
from .signatures import Act, Signature, Unsigned

SIGNED: Final = "deploy.signed"
FOUR_EYES: Final = "deploy.four-eyes"

Asks = Literal["", "signed", "four-eyes"]

_LEVELS: Final[tuple[Asks, ...]] = ("", "signed", "four-eyes")
_ASKED: Final = "select distinct asks from runtime.version where front_end = $1 and hash = any($2)"
_IS_SIGNED: Final = (
    "select exists (select from runtime.signature where front_end = $1 and hash = $2 and act = 'deploy')"
)


class WrongAsk(errors.BadAsk):
    """A front end's settings say neither yes nor no about how it is deployed."""

    slug = "runtime.wrong-ask"


class NeverApproved(errors.NotPermitted):
    """This version was never in place, and nobody has vouched for it as its front end asks."""

    slug = "runtime.never-approved"


class NoSigners(errors.RuleBroken):
    """No pack knows whose keys sign."""

    slug = "runtime.no-signers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Who signed, with what was sent and what it is over."""

    signer: Signer
    sent: Signature
    said: bytes

    def doer(self, through: Doer) -> Doer:
        """Return who does what they have signed, for histories and the journal; through: the client that sent it."""
        return Doer(caller=_caller(self.signer, through.caller), journal=through.journal)


def asks_of(settings: Mapping[str, str]) -> Asks:
    """Return what settings of a front end ask for. Raises WrongAsk."""
    for name in (SIGNED, FOUR_EYES):
        if settings.get(name, "no") not in ("yes", "no"):
            raise WrongAsk(f"{name} is {settings[name]!r}", remedy=f'write "{name}": "yes", or leave it out')
    if settings.get(FOUR_EYES) == "yes":
        return "four-eyes"
    return "signed" if settings.get(SIGNED) == "yes" else ""


def most(*asked: Asks) -> Asks:
    """Return what asks for most."""
    return max(asked, key=_LEVELS.index)


async def asked_by(context: DeployContext, code: str, held: Rollout | None, *kept: str) -> Asks:
    """Return what the versions of a front end that are in place ask for, or the folder's own; and kept ones."""
    hashes = [*kept, *(one for one in (held.stable, held.staged) if one)] if held else [*kept]
    async with context.database.platform() as session:
        found = [row["asks"] for row in await session.fetch(_ASKED, code, hashes)]
    line = context.release.lines.get(code)
    if line is not None and (held is None or held.stable is None):
        found.append(asks_of(line.front_end.settings))
    return most("", *found)


async def vouched(
    context: DeployContext, code: str, act: Act, digest: str, sent: Signature, through: Caller, **said: object
) -> Vouched:
    """Return who signed this. Raises NotPermitted where nobody did who may deploy this front end."""
    over = signatures.statement(act, sent.challenge, digest, **said)
    signer = await signers_of(context).signer(sent.key)
    await signatures.check(context.database, sent, signer, over)
    if context.guard is not None:
        await context.guard.check(_caller(signer, through), DEPLOY, await _settings(context, code))
    return Vouched(signer=signer, sent=sent, said=over)


async def _settings(context: DeployContext, code: str) -> Mapping[str, str]:
    """Return the settings of what runs: its policies may forbid somebody to deploy it. What loads nowhere has none."""
    held = await switches.current(context.database, code)
    if held is None or held.stable is None:
        line = context.release.lines.get(code)
        return line.front_end.settings if line else {}
    try:
        front_end = await versions.load(context.database, code, held.stable, context.cache, context.load)
    except errors.Refusal:
        return {}
    return front_end.settings


def signers_of(context: DeployContext) -> Signers:
    """Return what knows whose key is whose. Raises NoSigners."""
    if context.signers is None:
        raise NoSigners(
            "no pack of this platform knows whose keys sign deploys",
            remedy="plug in the one that does: [platform] packs",
        )
    return context.signers


async def check_may_run(context: DeployContext, code: str, hash_: str) -> None:
    """Raise NeverApproved where a kept version may not be put in place by who may deploy, all alone.

    What was in place once may run again: that is going back, which must not wait for a second person. What was signed
    and never in place may, where no second person is asked for.
    """
    asked = await asked_by(context, code, await switches.current(context.database, code), hash_)
    if not asked or await switches.has_run(context.database, code, hash_):
        return
    async with context.database.platform() as session:
        is_signed = await session.fetch_value(_IS_SIGNED, code, hash_)
    if asked == "signed" and is_signed:
        return
    why = "was never approved by a second person" if asked == "four-eyes" else "was never signed"
    raise NeverApproved(
        f"version {hash_[:12]} of front end {code!r} was never in place, and {why}",
        remedy="deploy it signed: isthmus deploy FOLDER --signing-key FILE",
    )


def check_is_signed(asked: Asks, code: str, found: Vouched | None) -> None:
    """Raise Unsigned where a signature is asked for and there is none."""
    if asked and found is None:
        raise Unsigned(code)


def _caller(signer: Signer, through: Caller) -> Caller:
    person = signer.person
    return through.replace(person=person.name, roles=person.roles_at(through.front_end), scopes=None)
