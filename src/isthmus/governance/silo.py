"""How much of a silo the platform is: what cannot leave it, what it holds, what waits for it, what must be taken.

SI = 1 − [E · (1 − X) · (1 − q) · (1 − M) · (1 − D)]^(1/n) over the terms that are known: E packs whose exit was run and
green within 30 days, half of one for each that stands alone and cannot be put in the pack's place, X data without an
export contract, q changes that needed the platform, M capabilities that who sells cannot decline, D answers that say
what another's or the platform's own says. From 0 (none) to 1; over 0.4 is an alarm.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Final, Literal

from isthmus.governance import kept
from isthmus.governance.cost.moved import order_calls
from isthmus.governance.exits.held import Hold, first_of, flows_of, holds, is_domain, joins
from isthmus.governance.ladder.facts import reaches
from isthmus.governance.thin import alike
from isthmus.governance.thin import report as thinness
from isthmus.kernel import Value
from isthmus.kernel.host import Release
from isthmus.language import mark
from isthmus.store import Database

TermName = Literal["exits", "exported", "no-queue", "declinable", "unlike"]
EXIT_DAYS: Final = timedelta(days=30)
ALARM: Final = 0.4
LEAST: Final = 0.01  # of a term: one that is nothing must not hide how the others stand
ALONE: Final = 0.5  # of an exit: one of its two questions is answered
KIND: Final = "silo"

_EXITS: Final = """
    select distinct on (pack) pack, at, ended, reason from governance.exit_run where at > $1 order by pack, at desc"""
_TABLES: Final = """
    select n.nspname as schema, c.relname as table, pg_total_relation_size(c.oid)::bigint as bytes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = any($1::text[]) order by 1, 2"""


class Evidence(Value):
    """One thing that makes the platform more of a silo, with what to do about it."""

    what: str
    why: str
    next: str


class Term(Value):
    """One term, from 0 (a silo) to 1 (none), or None where it is not known; its evidence, the gravest first."""

    name: TermName
    value: float | None
    said: str
    evidence: tuple[Evidence, ...]


class Silo(Value):
    """The index, from 0 to 1, or None where no term is known; its terms, the weakest first."""

    at: datetime
    value: float | None
    terms: tuple[Term, ...]

    @property
    def is_alarming(self) -> bool:
        return self.value is not None and self.value > ALARM


async def last(database: Database) -> Silo | None:
    """Return the report that was kept last, or None."""
    return await kept.last(database, KIND, Silo)


async def measure(
    database: Database, release: Release, now: datetime, left: Set[str] = frozenset(), calls: int = alike.CALLS
) -> Silo:
    """Measure every term, and keep what was found. left: packs that are services already."""
    async with database.platform() as session:
        exits = {
            row["pack"]: (str(row["ended"]), str(row["reason"])) for row in await session.fetch(_EXITS, now - EXIT_DAYS)
        }
        schemas = {pack.name.replace("-", "_"): pack.name for pack in release.packs.values()}
        tables = [
            (f"{row['schema']}.{row['table']}", row["bytes"]) for row in await session.fetch(_TABLES, list(schemas))
        ]
    green = {*left, *(pack for pack, (ended, _) in exits.items() if ended == "green")}
    packs = [pack.name for pack in release.packs.values() if is_domain(pack)]
    held = await asyncio.to_thread(held_by, release, set(packs) - green)
    found = await alike.look(database, release, calls)
    thin = await thinness.last(database)
    terms = (
        exits_term(packs, green, exits, held),
        exported_term(tables, _exported(release)),
        queue_term(thin),
        declinable_term(release, green, held),
        unlike_term(found, len(alike.own_answers(release))),
    )
    silo = Silo(
        at=now, value=index_of(terms), terms=tuple(sorted(terms, key=lambda one: (one.value is None, one.value or 0.0)))
    )
    await kept.keep(database, KIND, now, silo)
    return silo


def index_of(terms: Iterable[Term]) -> float | None:
    """Return the index over the terms that are known."""
    known = [max(LEAST, one.value) for one in terms if one.value is not None]
    return round(1 - math.prod(known) ** (1 / len(known)), 3) if known else None


def held_by(release: Release, packs: Set[str]) -> dict[str, list[Hold]]:
    """Return what holds these packs to the platform, of those that are held."""
    flows = flows_of(release.packs.values(), (line.front_end for line in release.lines.values()))
    found = {name: [*holds(release.packs[name]), *joins(release.packs[name], flows)] for name in sorted(packs)}
    return {name: reasons for name, reasons in found.items() if reasons}


def exits_term(
    packs: Sequence[str], green: Set[str], exits: Mapping[str, tuple[str, str]], held: Mapping[str, Sequence[Hold]]
) -> Term:
    """Weigh exits: an exit that nobody ran is none. What can be tried comes first, then what is held, and by what."""
    red: list[Evidence] = []
    waiting: list[Evidence] = []
    alone: list[Evidence] = []
    kept: list[Evidence] = []
    for name in (one for one in packs if one not in green):
        ended, reason = exits.get(name, ("", ""))
        what, again, reasons = mark(f"pack {name}"), f"isthmus eject {name} --check", held.get(name, ())
        if not all(one.in_place for one in reasons):
            kept.append(Evidence(what=what, why=first_of(reasons), next=reasons[0].next))
        elif ended == "red":
            red.append(Evidence(what=what, why=mark(f"its exit is red: {reason}"), next=again))
        elif ended == "alone" and reasons:
            why = mark(f"it stands alone, and nothing can stand in its place: {first_of(reasons)}")
            alone.append(Evidence(what=what, why=why, next=reasons[0].next))
        elif ended == "alone":
            waiting.append(Evidence(what=what, why=mark("nothing holds its place since its exit was run"), next=again))
        else:
            waiting.append(Evidence(what=what, why=mark("its exit was not run in 30 days"), next=again))
    count = len([one for one in packs if one in green])
    said = mark(f"{count} of {len(packs)} packs left the platform within 30 days, and answered as before")
    if alone:
        said = mark(f"{said}; {len(alone)} more stand alone, and count half")
    value = (count + ALONE * len(alone)) / len(packs) if packs else None
    return Term(name="exits", value=value, said=said, evidence=(*red, *waiting, *alone, *kept))


def exported_term(tables: Sequence[tuple[str, int]], exported: set[str]) -> Term:
    """Weigh data by bytes: what an entity of a pack describes has a contract, and can be taken along."""
    whole = sum(size for _, size in tables)
    without = sorted(((size, name) for name, size in tables if name not in exported), reverse=True)
    kept_back = sum(size for size, _ in without)
    evidence = tuple(
        Evidence(
            what=mark(f"table {name}"), why=mark(f"{size:,} bytes that no entity describes"),
            next=mark("declare an entity for it, or say why nobody needs it"),
        )
        for size, name in without
    )  # fmt: skip
    value = 1 - kept_back / whole if whole else None
    said = mark(f"{whole - kept_back:,} of {whole:,} bytes of packs' tables have an export contract")
    return Term(name="exported", value=value, said=said, evidence=evidence)


def queue_term(thin: thinness.Report | None) -> Term:
    """Take over what thinness saw of changes that needed the platform."""
    found = next((one for one in thin.index.terms if one.name == "no-queue"), None) if thin else None
    if found is None:
        return Term(name="no-queue", value=None, said=mark("run `isthmus thin` first"), evidence=())
    evidence = () if found.value in (None, 1.0) else (
        Evidence(what=mark("changes that waited"), why=found.evidence, next=mark("see `isthmus lead-time`")),
    )  # fmt: skip
    return Term(name="no-queue", value=found.value, said=found.evidence, evidence=evidence)


def declinable_term(release: Release, green: Set[str], held: Mapping[str, Sequence[Hold]]) -> Term:
    """Weigh what who sells cannot decline: what the order path reaches, but for packs that were put out of the way."""
    reach = reaches(release)
    needed = {pack for name in order_calls(release) for pack in reach.get(name, frozenset[str]())} - green
    offered: dict[str, int] = {}
    for one in release.offered.values():
        if not one.capability.is_internal:
            offered[one.capability.pack] = offered.get(one.capability.pack, 0) + 1
    whole = sum(offered.values())
    forced = {pack: offered[pack] for pack in needed if pack in offered}
    evidence = tuple(
        Evidence(
            what=mark(f"pack {pack}"), why=mark(f"who sells cannot do without its {count} capabilities"),
            next=reasons[0].next if (reasons := held.get(pack)) else f"isthmus eject {pack} --check",
        )
        for pack, count in sorted(forced.items(), key=lambda pair: (-pair[1], pair[0]))
    )  # fmt: skip
    said = mark(f"{whole - sum(forced.values())} of {whole} capabilities can be declined by a front end that sells")
    value = 1 - sum(forced.values()) / whole if whole else None
    return Term(name="declinable", value=value, said=said, evidence=evidence)


def unlike_term(found: alike.Found, answers: int) -> Term:
    """Weigh answers that are proved to say what another front end's says, or what the platform says anyway."""
    evidence: list[Evidence] = []
    twice = 0
    for group in found.alike:
        twice += len(group.answers) - 1
        evidence.append(
            Evidence(
                what=", ".join(group.answers), why=mark(f"say the same on {group.questions} asks of {group.point}"),
                next=f"isthmus thin sink {group.point}",
            )
        )  # fmt: skip
    for one in found.known:
        twice += 1
        evidence.append(
            Evidence(
                what=one.answer, why=mark(f"says what {one.product} says, on {one.questions} questions to {one.point}"),
                next=f"isthmus thin sink {one.point}",
            )
        )  # fmt: skip
    for label, point, questions in found.idle:
        twice += 1
        evidence.append(
            Evidence(
                what=label, why=mark(f"says what the platform says, on {questions} questions to {point}"),
                next=f"isthmus thin delete {label}",
            )
        )  # fmt: skip
    said = mark(f"{answers - twice} of {answers} answers of front ends say what nobody else says")
    return Term(name="unlike", value=1 - twice / answers if answers else None, said=said, evidence=tuple(evidence))


def _exported(release: Release) -> set[str]:
    markings = (getattr(one, "__isthmus_entity__", None) for pack in release.packs.values() for one in pack.entities)
    return {str(one.table) for one in markings if one is not None}


def text(silo: Silo, evidence_max: int | None = 3) -> Iterator[str]:
    """Return the index, its terms and their evidence in lines."""
    value = (
        "not known"
        if silo.value is None
        else f"{silo.value:.2f}{', over the alarm of 0.4' if silo.is_alarming else ''}"
    )
    yield f"silo index {value} (0: none, 1: nothing can leave)"
    for term in silo.terms:
        yield f"  {term.name}: {'not known' if term.value is None else f'{term.value:.2f}'} — {term.said}"
        for one in term.evidence[:evidence_max]:
            yield f"    {one.what}: {one.why}; {one.next}"
        if evidence_max is not None and len(term.evidence) > evidence_max:
            yield f"    … and {len(term.evidence) - evidence_max} more with --all"
