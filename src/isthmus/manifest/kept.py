"""What a pack says of personal data: why it is given some, what it keeps of it and where, and how it forgets it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from isthmus.kernel import Capability, Effect, Pack, Value
from isthmus.kernel.host import event_kind
from isthmus.markings import PersonalKind
from isthmus.personal import Forget, Forgotten, personal_marks
from isthmus.sealing import Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeps:
    """Rows of a table that are kept of persons: what of them is personal, why and how long, and whose a row is.

    whose: SQL that is true of somebody's rows; `$1` has their ids and references as texts, `$2` their e-mail addresses,
    folded. Nothing: nobody can say whose a row is, for the reason that `unknown` gives. leads_to: SQL of texts under
    which more is kept of whom a row is, such as an order's id. addresses: SQL of an e-mail address that is theirs, or
    null. hidden: columns that are given to nobody, such as the hash of a password. sealed: the columns that a company
    can have kept encrypted under a key per person (`[settings.personal-data] sealed`). in_the_clear: why the others
    stay as they are where a company has all encrypted that can be, for the register: one of `manifest.clear`, or
    a sentence of your own.
    """

    table: str
    columns: Mapping[str, PersonalKind]
    why: str
    until: str
    whose: str = ""
    unknown: str = ""
    leads_to: tuple[str, ...] = ()
    addresses: str = ""
    hidden: tuple[str, ...] = ()
    sealed: tuple[Sealed, ...] = ()
    in_the_clear: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What becomes of personal data that a pack is given. A pack whose contracts mark some must bring this.

    forgets: the capability, from `Forget` to `Forgotten`, that takes it out of what the pack keeps; it is called in the
    transaction in which a person is erased. entity: the lake's entity whose rows are named by the references that it
    answers, so that those of guests are erased there too. because: where the pack keeps none, why not. purposes: what
    each kind of it is needed for, where a field does not say so itself. keeps: the tables that it is kept in.
    """

    forgets: Capability[Forget, Forgotten] | None = None
    entity: str = ""
    because: str = ""
    purposes: Mapping[PersonalKind, str] = field(default_factory=dict[PersonalKind, str])
    keeps: tuple[Keeps, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gives:
    """An operation of an adopted service that answers what it holds of somebody; `field` takes an id or reference."""

    call: Capability[Any, Any]
    field: str

    def asks(self, names: Iterable[str]) -> Iterator[Value]:
        """Yield what it is asked for each id that fits it."""
        for name in names:
            with suppress(msgspec.ValidationError):
                yield msgspec.convert({self.field: name}, self.call.ask, strict=False)


@dataclass(frozen=True, slots=True)
class Given:
    """A field by which personal data comes in or goes out: `place` is a call, an event or the lake."""

    place: Literal["call", "event", "lake"]
    where: str
    kind: PersonalKind
    why: str
    readable_by: Capability[object, object] | None = None  # whoever may call this is given it


def given_to(pack: Pack) -> Iterator[Given]:
    """Yield each field of a pack's contracts that is marked as personal, with its purpose; nothing where none is said.

    What asks a pack to forget somebody is for no other purpose, and left out.
    """
    purposes = {kind: why for one in pack.brings if isinstance(one, Personal) for kind, why in one.purposes.items()}

    def found(
        contract: Any, place: Literal["call", "event", "lake"], where: str, reader: Capability[object, object] | None
    ) -> Iterator[Given]:
        for path, mark in personal_marks(contract) if contract not in (Forget, Forgotten) else ():
            if mark is not None:
                why = mark.why or purposes.get(mark.kind, "")
                yield Given(place, f"{where}{path.removeprefix('$')}", mark.kind, why, reader)

    for one in pack.capabilities().values():
        yield from found(one.ask, "call", f"{one.name} ← ", None)
        yield from found(one.answer, "call", f"{one.name} → ", None if one.is_internal else one)
    for event_type in pack.events().values():
        yield from found(event_type, "event", event_kind(event_type).name, None)
    for entity in pack.entities:
        marking = getattr(entity, "__isthmus_entity__", None)
        yield from found(entity, "lake", marking.name if marking else entity.__name__, None)


def personal_problems(pack: Pack) -> Iterator[str]:
    """Say what is missing of what a pack says of personal data, each with what to write."""
    said = [one for one in pack.brings if isinstance(one, Personal)]
    for one in said:
        yield from _wrong(one, pack)
    without: dict[PersonalKind, list[str]] = {}
    for one in given_to(pack) if said else ():
        if not one.why:
            without.setdefault(one.kind, []).append(one.where)
    for kind, places in without.items():
        yield (
            f"is given personal data of kind {kind!r} and does not say what for ({places[0]}"
            f"{', …' if len(places) > 1 else ''}); write Personal(purposes={{{kind!r}: …}}), or Pii({kind!r}, why=…)"
        )


def _wrong(said: Personal, pack: Pack) -> Iterator[str]:
    if (said.forgets is None) == (not said.because):
        yield "Personal says either what forgets or because of what there is nothing to forget; give one of them"
    for one in said.keeps:
        if not (one.columns and one.why.strip() and one.until.strip()):
            yield f"Keeps of {one.table} does not say what is personal, why it is kept, and until when; give all three"
        if bool(one.whose) == bool(one.unknown):
            yield f"Keeps of {one.table} says either whose a row is or why nobody can say so; give whose or unknown"
    forgets = said.forgets
    if forgets is None:
        return
    if not (forgets.ask is Forget and forgets.answer is Forgotten and forgets.effect is Effect.WRITE):
        yield f"{forgets.name!r} cannot forget; declare it from Forget to Forgotten, with Effect.WRITE"
    elif forgets.pack != pack.name:
        yield f"{forgets.name!r} is another's; each pack forgets what it keeps itself"
