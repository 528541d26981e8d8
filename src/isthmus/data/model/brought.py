"""What packs and front ends bring of data beside metrics: segments, quality rules, terms of the business, questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar, get_args

from isthmus.kernel import FrontEnd, Pack, errors
from isthmus.markings import Brought, Question

from .ask import Ask

T = TypeVar("T", bound=Brought)
_KEPT: Final = ("metrics", "by", "where", "having", "order", "timezone", "currency", "is_filled")


@dataclass(frozen=True, slots=True)
class Owned(Generic[T]):
    """One of them, with who answers for it; `front_end` is whose own it is, and empty where it is everybody's."""

    value: T
    owner: str
    front_end: str = ""


def brought(packs: Iterable[Pack], front_ends: Mapping[str, FrontEnd], kind: type[T]) -> list[Owned[T]]:
    """Return what packs bring of a kind, then what front ends do, each in their order."""
    of_packs = [
        Owned(one, getattr(one, "owner", "") or pack.owner)
        for pack in packs
        for one in pack.brings
        if isinstance(one, kind)
    ]
    return of_packs + [
        Owned(one, getattr(one, "owner", "") or front_end.owner, code)
        for code, front_end in front_ends.items()
        for one in front_end.brings
        if isinstance(one, kind)
    ]


def asked(question: Question) -> Ask:
    """Return a kept question as it is asked."""
    return Ask(**{name: getattr(question, name) for name in _KEPT})


def kept(ask: Ask, name: str, daily: str, form: Literal["csv", "parquet"]) -> Question:
    """Return a question to keep. Raises BadAsk where it says what only one answer can be asked with."""
    plain = Ask(**{field: getattr(ask, field) for field in _KEPT})
    if ask != plain:
        other = ", ".join(one for one in Ask.__struct_fields__ if getattr(ask, one) != getattr(plain, one))
        raise errors.BadAsk(f"a kept question has no {other}", remedy=f"what is kept is {', '.join(_KEPT)}")
    return Question(name=name, daily=daily, form=form, **{field: getattr(ask, field) for field in _KEPT})


def problems_of(front_end: FrontEnd) -> Iterator[str]:
    """Yield what of a front end's own nothing reads, or is called as another's."""
    for one in front_end.brings:
        if not isinstance(one, get_args(Brought)):
            known = ", ".join(kind.__name__ for kind in get_args(Brought))
            said = f"front end {front_end.code!r} brings a {type(one).__name__}, which nothing reads"
            yield f"{said}; what is read is {known}"
        elif isinstance(one, Question) and not one.name.startswith(f"{front_end.code}."):
            yield (
                f"question {one.name!r} of front end {front_end.code!r} is called as another's; "
                f"call it {front_end.code}.{one.name.rpartition('.')[2]}"
            )
