"""Forgetting a person, over all packs that are plugged in: the flows are made of what the manifests bring.

    the pack that has persons: erased ─┐
    privacy.erase-guest ───────────────┴─▶ each pack's `Personal.forgets`, until nobody names anything more
                                           → privacy.person-forgotten → copies of it (`runtime/events/copies`), the lake

All packs forget in one transaction. A pack whose contracts mark personal data and that does not say what becomes of it
is refused at start, so that none is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Annotated, Any, Final
from uuid import UUID

from isthmus.kernel import Capability, Condition, Context, Effect, Meta, Pack, Value, event, flow, implements
from isthmus.kernel.host import Implementation
from isthmus.manifest import Personal, Persons, brought
from isthmus.manifest import kept as manifest
from isthmus.markings import Pii
from isthmus.personal import Forget, Forgotten, personal_paths
from isthmus.runtime.events.kept_copies import OF_COPIES

NAME: Final = "privacy"
DEADLINE_MS: Final = 60_000  # somebody may have had thousands of orders
AT_ONCE: Final = 500  # references of one event: it stays small
PLACES_SHOWN: Final = 3

Forgets = Capability[Forget, Forgotten]
# Answers and recordings, own tables and each adopted service are consumers; what fails once is tried again at once.
_COPIES_ARE_FORGOTTEN: Final = Condition(
    name="privacy.copies-are-forgotten",
    sentence="Who was erased is erased in copies, front ends' own tables and adopted services too.",
    sql="""select name, failures, last_error, moved_at from isthmus.consumer
           where (name like 'forgotten-%' or name like 'lake-erasure%') and failures > 5 order by name""",
)


class EraseGuest(Value):
    """Forget guests: who bought without being a member, by the e-mail address that they left."""

    email: Annotated[str, Pii("email"), Meta(min_length=3, max_length=254)]


class GuestErased(Value):
    """Under how many references, such as orders, something of theirs was kept."""

    references: int


@event("privacy.person-forgotten", version="1.0", subject="subject")
class PersonForgotten(Value):
    """All packs have forgotten a person: members by these ids, and what is kept under these references."""

    subject: str
    member_ids: tuple[UUID, ...]
    references: tuple[str, ...]


def forgetting(packs: Sequence[Pack]) -> tuple[Pack, ...]:
    """Return the flows that forget a person in each of these packs; none where no pack keeps anything of anybody."""
    forgets = tuple(one.forgets for one in brought(packs, Personal) if one.forgets is not None)
    if not forgets:
        return ()
    api, service = ModuleType(NAME, "Forgets persons in all packs, at once."), ModuleType("service")
    for capability, implementation in _flows(forgets, brought(packs, Persons)):
        name = capability.name.partition(".")[2].replace("-", "_")
        setattr(api, name, capability)
        setattr(service, name, implementation)
    api.PersonForgotten = PersonForgotten  # type: ignore[attr-defined]
    return (
        Pack(
            name=NAME,
            owner="platform",
            api=api,
            service=(service,),
            brings=(OF_COPIES,),
            conditions=(_COPIES_ARE_FORGOTTEN,),
        ),
    )


def personal_problems(packs: Iterable[Pack]) -> Iterator[str]:
    """Say which packs are given personal data and do not say what becomes of it."""
    for pack in packs:
        said = [one for one in pack.brings if isinstance(one, Personal)]
        found = sorted(_marked(pack)) if not said else []
        if found:
            yield (
                f"pack {pack.name!r} is given personal data and does not say how it forgets it "
                f"({', '.join(found[:PLACES_SHOWN])}{', …' if len(found) > PLACES_SHOWN else ''}); "
                f"bring Personal(forgets=api.forget), or Personal(because=…) where it keeps none"
            )
        yield from (f"pack {pack.name!r}: {wrong}" for wrong in manifest.personal_problems(pack))


def _marked(pack: Pack) -> Iterator[str]:
    """Yield where the contracts of a pack mark personal data."""
    for one in pack.capabilities().values():
        yield from (f"{one.name} {path}" for path in personal_paths(one.ask))
        yield from (f"{one.name} → {path}" for path in personal_paths(one.answer))
    for event_type in pack.events().values():
        yield from (f"{event_type.__name__} {path}" for path in personal_paths(event_type))
    for entity in pack.entities:
        yield from (f"{entity.__name__} {path}" for path in personal_paths(entity))


def _flows(
    forgets: tuple[Forgets, ...], persons: Iterable[Persons]
) -> Iterator[tuple[Capability[Any, Any], Implementation]]:
    async def everywhere(ask: Forget, subject: str, ctx: Context) -> tuple[str, ...]:
        references, renamed = dict.fromkeys(ask.references), dict.fromkeys(ask.renamed)
        for _ in range(len(forgets) + 1):  # each round may name what others keep something under
            known = len(references), len(renamed)
            for one in forgets:
                now = Forget(
                    member_ids=ask.member_ids, emails=ask.emails, references=tuple(references), renamed=tuple(renamed)
                )
                answered = await ctx.call(one, now)
                references |= dict.fromkeys(answered.references)
                renamed |= dict.fromkeys(answered.renamed)
            if known == (len(references), len(renamed)):
                break
        named = tuple(references)
        for start in range(0, max(1, len(named)), AT_ONCE):
            some = named[start : start + AT_ONCE]
            ctx.emit(PersonForgotten(subject=subject, member_ids=ask.member_ids, references=some))
        return named

    @flow(f"{NAME}.erase-guest", version="1.0", effect=Effect.WRITE, uses=forgets, deadline_ms=DEADLINE_MS)
    def erase_guest(ask: EraseGuest) -> GuestErased:
        """Forget who bought as a guest with an e-mail address, in every pack that keeps something of theirs, at once.

        Orders keep amounts, goods, tax, country and region. Members are forgotten with the capability that erases
        them, whatever address they left. Safe to repeat.
        """
        ...

    @implements(erase_guest)
    async def run_guest(ask: EraseGuest, ctx: Context) -> GuestErased:
        wanted = Forget(emails=(ask.email.strip(),))
        return GuestErased(references=len(await everywhere(wanted, ctx.call_id, ctx)))

    yield erase_guest, run_guest
    for known in persons:
        yield _subscription_of(known.erased, forgets, everywhere)


def _subscription_of(erased: type[Value], forgets: tuple[Forgets, ...], everywhere: Any) -> tuple[Any, Implementation]:
    """Return the flow that runs in the transaction in which a person is erased."""

    @flow(
        f"{NAME}.forget-person",
        version="1.0",
        effect=Effect.WRITE,
        uses=forgets,
        deadline_ms=DEADLINE_MS,
        is_internal=True,
    )
    @_asked_with(erased)
    def forget_person(ask: Value) -> Forgotten:
        """Have every pack forget a person, in the transaction in which the person is erased."""
        ...

    @implements(forget_person)
    async def run_person(ask: Any, ctx: Context) -> Forgotten:
        wanted = Forget(member_ids=(ask.member_id, *getattr(ask, "merged_ids", ())))
        return Forgotten(references=await everywhere(wanted, str(ask.member_id), ctx))

    return forget_person, run_person


def _asked_with(asked: type[Value]) -> Callable[[Callable[[Value], Forgotten]], Callable[[Value], Forgotten]]:
    """Return a decorator that says what a flow is asked with, where only the platform's packs decide."""

    def said(declared: Callable[[Value], Forgotten]) -> Callable[[Value], Forgotten]:
        declared.__annotations__["ask"] = asked
        return declared

    return said
