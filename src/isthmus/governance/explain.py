"""Explain: who answers an extension point for a front end, in which order, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isthmus.kernel import Value, errors
from isthmus.kernel.host import Answer, Release


class Candidate(Value):
    """One answer that could speak, and how it fares."""

    by: str
    source: str
    when: dict[str, tuple[str, ...]]
    has_predicate: bool
    is_total: bool
    place: int  # 1 is asked first
    fate: str  # "answers", "asked, may pass", "behind …"


class Explanation(Value):
    """Who answers a point for a front end, in one situation."""

    front_end: str
    point: str
    rule: str
    situation: dict[str, str]
    candidates: tuple[Candidate, ...]
    default: str


def explain(release: Release, code: str, point_name: str, dims: Mapping[str, str] | None = None) -> Explanation:
    """Say who answers a point for a front end, in which order, and why.

    Raises UnknownCapability where there is no such point.
    """
    if point_name not in release.points:
        raise errors.UnknownCapability(
            f"no extension point is called {point_name!r}{errors.near(point_name, release.points)}",
            remedy="list the points with `isthmus catalogue`",
        )
    point = release.points[point_name]
    line = release.line(code)
    plan = line.plan(line.checked(dims or {}))
    ranked = plan.find(point)
    return Explanation(
        front_end=plan.box,
        point=point_name,
        rule=point.combine.name,
        situation={dimension.name: plan.dims[dimension.name] for dimension in point.dimensions},
        candidates=tuple(_candidate(answer, place, ranked) for place, answer in enumerate(ranked, 1)),
        default=f"{point.doc.splitlines()[0]} ({point.source})",
    )


def _candidate(answer: Answer, place: int, ranked: Sequence[Answer]) -> Candidate:
    earlier = [one for one in ranked[: place - 1] if one.is_total]
    if not answer.point.combine.is_ordered:
        fate = "asked with the others"
    elif answer.point.combine.name == "fold":
        fate = f"step {place}"
    elif earlier:
        fate = f"behind {earlier[0].label}"
    else:
        fate = "answers" if answer.is_total else "asked, may pass"
    return Candidate(
        by=answer.label,
        source=answer.source,
        when={name: tuple(sorted(values)) for name, values in answer.when.items()},
        has_predicate=answer.applies is not None,
        is_total=answer.is_total,
        place=place,
        fate=fate,
    )
