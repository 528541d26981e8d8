"""What to do about a platform that is too fat: each finding with its evidence and the next step. Pure."""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal

from isthmus.kernel import Value
from isthmus.kernel.host import Answer, CompiledFrontEnd, Release
from isthmus.language import mark

from .index import Term, logic_out, neutrality, share
from .observe import Observed
from .probes import Site, untried
from .turned import turned

Verdict = Literal["lift", "delete"]
# default: a question whose only answer everybody has; constant: a setting that is the same everywhere
Kind = Literal["branch", "setting", "constant", "option", "capability", "point", "default", "answer", "field", "event"]

CALLS_MIN: Final = (
    30  # of a function, by each of three front ends, before an arm is somebody's: 200 where there are many
)
SHARE_MIN: Final = 0.01  # of a front end's calls of the function: less is an accident of the sample
FRONT_ENDS_MIN: Final = 3  # of two, each decision that tells them apart would be one's own
ALONE_MIN: Final = 30  # calls of a capability by one front end, before it is that one's: as of a function above
ALONE_DAYS: Final = timedelta(days=7)  # since calls are kept: what others call once a week is nobody's alone before
USED_MIN: Final = 200  # calls in all, before a capability that none of them called is one that nobody calls
OPTIONS_MIN: Final = 2  # seen, before how many are used is a share: one alone would make the index nothing
NONE_MIN: Final = 5  # options, before that none of them is used says anything
AS_IT_COMES: Final = ("first_answer", "fold", "total", "lowest", "highest")  # one answer alone is the result
ASKED_MIN: Final = 30  # before an answer that never said anything is dead


class Finding(Value):
    """One thing to lift to a front end or to delete: where, why, and what to do next.

    name: by which `isthmus thin lift` and `delete` know it; empty for a branch, which has its place. holds: of a
    branch, whether its condition does for that front end. pack: whose code it is; nothing of a front end's.
    is_elsewhere: it came with another's release, so that who reads this cannot change it.
    """

    verdict: Verdict
    what: str
    where: str
    front_end: str  # that it would go to; empty: it goes
    evidence: str
    next: str
    pack: str = ""
    is_elsewhere: bool = False
    kind: Kind = "branch"
    name: str = ""
    holds: bool = True


class Weighed(Value):
    """The terms of the index that calls tell, with what was found on the way."""

    terms: tuple[Term, ...]
    findings: tuple[Finding, ...]
    decisions: Mapping[str, int]  # of the platform, by pack: those that calls came by


def weigh(observed: Observed, release: Release, today: date, over: timedelta = timedelta.max) -> Weighed:
    """Judge what was observed. over: for how long calls were kept."""
    platform = list(observed.sites(observed.platform))
    own = list(observed.sites(observed.own))
    knobs = list(_knobs(observed, release))
    keys = [one.name for one in knobs if one.kind == "setting"]
    leaks, judged = _leaks(
        observed, release.lines, platform, {file: turned(file, keys) for file in {site.file for _, site in platform}}
    )
    named = [
        Finding(
            verdict="lift",
            what=mark(f"the platform names front end {one.front_end!r}"),
            where=f"{short_path(one.file)}:{one.line}",
            front_end=one.front_end,
            evidence=one.text,
            next=mark("ask an extension point here, and let that front end answer it"),
            pack=observed.platform[one.file],
        )
        for one in observed.named
    ]
    alone = len(leaks) + len(named) + sum(one.verdict == "lift" for one in knobs)
    calls = sum(observed.used.values())
    is_known = calls >= USED_MIN and over >= ALONE_DAYS
    capabilities, shared, unused = _surface(observed, release) if is_known else ((), (), ())
    options, live = _options(observed, release)
    terms = (
        logic_out(len(platform), len(own), observed.calls.total()),
        neutrality(alone, len(platform), judged if not named else max(1, judged)),
        share(
            "surface-used",
            len(shared),
            len(capabilities),
            mark(f"{len(shared)} of {len(capabilities)} capabilities serve two front ends or more")
            if capabilities
            else mark(f"{calls:,} calls of {_long(over)} are too few to say which capabilities nobody needs"),
        ),
        share("options-live", live, options, mark(f"{live} of {options} options have two values in use"))
        if options >= (OPTIONS_MIN if live else NONE_MIN)
        else share(
            "options-live", 0, 0, mark(f"{options} options were seen, which is too few to say how many are used")
        ),
    )
    findings = (*named, *leaks, *knobs, *unused, *_points(observed, release, today), *_dead_answers(observed, release))
    by_pack = Counter(observed.platform[site.file] for _, site in platform)
    return Weighed(terms=terms, findings=findings, decisions=dict(sorted(by_pack.items())))


def _leaks(
    observed: Observed, lines: Container[str], platform: Sequence[tuple[int, Site]], known: Mapping[Path, set[int]]
) -> tuple[list[Finding], int]:
    """Find arms that one front end alone takes, where three came by their function often; and how many were judged.

    known: lines whose decisions are found by the setting that they ask for.
    """
    functions = {
        (site.file, site.function): number
        for number, site in enumerate(observed.probes.sites)
        if site.kind == "function"
    }
    found: list[Finding] = []
    judged = 0
    for number, site in platform:
        function = functions.get((site.file, site.function))
        calls = observed.probes.calls_of(function) if function is not None else {}
        if sum(count >= CALLS_MIN for code, count in calls.items() if code in lines) < FRONT_ENDS_MIN:
            continue
        judged += 1
        if site.line in known[site.file]:
            continue
        for arm in (True, False):
            takers = {code: taken for code, arms in observed.probes.taken.items() if (taken := arms[number, arm])}
            if len(takers) != 1 or arm in site.refuses:
                continue
            ((code, taken),) = takers.items()
            if code not in lines:
                continue  # the group is no front end, and answers nothing
            is_nothing = arm in site.idle or (number, arm) in observed.probes.absent
            if is_nothing and not observed.probes.taken[code][number, not arm]:
                continue  # it has nothing of what is asked about: that is no logic of its own
            if taken >= max(SHARE_MIN * calls.get(code, 0), math.log(max(2, calls.get(code, 0)))):
                found.append(_leak(observed, site, arm, code, calls))
    return found, judged


def _leak(observed: Observed, site: Site, arm: bool, code: str, calls: Mapping[str, int]) -> Finding:
    others = ", ".join(f"{other} {count:,}" for other, count in sorted(calls.items()) if other != code)
    held = "" if site.kind == "body" else " holds" if arm else " does not hold"
    return Finding(
        verdict="lift",
        what=mark(f"{observed.platform[site.file]}: `{site.text}`{held} for {code} alone"),
        where=f"{short_path(site.file)}:{site.line}",
        front_end=code,
        evidence=mark(f"{site.function} was called {calls[code]:,} times for {code}, and for others: {others}"),
        next=mark(f"make it an extension point of {observed.platform[site.file]} that {code} answers"),
        pack=observed.platform[site.file],
        holds=arm,
    )


def _knobs(observed: Observed, release: Release) -> Iterator[Finding]:
    """Find settings that one front end alone has, and options of asks in which nobody differs."""
    settings: dict[str, dict[str, str]] = {}
    for code, line in release.lines.items():
        for key, value in line.front_end.settings.items():
            if key not in observed.facts:
                settings.setdefault(key, {})[code] = value
    calling = {code for code, times in (observed.calls + observed.not_run).items() if times}
    for key, values in sorted(settings.items()):
        if key in observed.unread:
            yield Finding(
                verdict="delete",
                what=mark(f"setting {key!r} is read by nobody"),
                where=f"front end {', '.join(sorted(values))}",
                front_end="",
                evidence=mark(f"no code of packs, flows, products and front ends names {key!r}"),
                next=mark("delete it"),
                kind="setting",
                name=key,
            )
        elif len(calling) > 1 and calling <= set(values) and len(said := _said_of(release, key)) == 1:
            yield Finding(
                verdict="delete",
                what=mark(f"setting {key!r} has one value everywhere"),
                where=f"front end {', '.join(sorted(values))}",
                front_end="",
                evidence=mark(f"always {next(iter(said))!r}; {', '.join(sorted(calling))} called something"),
                next=mark("write its value where it is read, and delete the setting"),
                kind="constant",
                name=key,
            )
        elif len(values) == 1 and len(release.lines) >= FRONT_ENDS_MIN:
            ((code, value),) = values.items()
            yield Finding(
                verdict="lift",
                what=mark(f"setting {key!r} has a value for {code} alone"),
                where=f"front end {code}",
                front_end=code,
                evidence=mark(f"{key} = {value!r}; {len(release.lines)} front ends run"),
                next=mark(f"let {code} answer an extension point with it, and delete the setting"),
                kind="setting",
                name=key,
            )
    calls = observed.calls + observed.not_run
    for option, by_code in sorted(observed.options.items()):
        values = set[str]().union(*by_code.values())
        if len(values) == 1 and len(by_code) > 1 and min(calls[code] for code in by_code) >= CALLS_MIN:
            yield Finding(
                verdict="delete",
                what=mark(f"option {option} has one value in use"),
                where=option,
                front_end="",
                evidence=mark(f"always {next(iter(values))}, in the calls of {', '.join(sorted(by_code))}"),
                next=mark("deprecate the field with a date, and delete what it decides"),
                pack=option.partition(".")[0],
                kind="option",
                name=option,
            )


def _said_of(release: Release, key: str) -> set[str]:
    """Return the values of a setting, those of parts of front ends included."""
    return {node.settings[key] for line in release.lines.values() for node in line.nodes if key in node.settings}


def _options(observed: Observed, release: Release) -> tuple[int, int]:
    """Return how many options were seen, and how many have two values in use."""
    asked: Counter[str] = Counter()
    for (_, name), times in observed.used.items():
        asked[name] += times
    seen = {
        name: set[str]().union(*by_code.values())
        for name, by_code in observed.options.items()
        if asked[name.partition(":")[0]] >= CALLS_MIN
    }
    for line in release.lines.values():
        for key, value in line.front_end.settings.items():
            if key not in observed.facts:
                seen.setdefault(f"setting {key}", set()).add(value)
    return len(seen), sum(len(values) > 1 for values in seen.values())


def _long(over: timedelta) -> str:
    """Return how long calls were kept, as it is said."""
    return f"{over.days} days" if over >= timedelta(days=1) else f"{over / timedelta(hours=1):.1f} h"


def _surface(observed: Observed, release: Release) -> tuple[Sequence[str], Sequence[str], Sequence[Finding]]:
    """Return the capabilities that are offered, those that two front ends call, and what to do about others.

    What one front end alone has called a few times others may call yet.
    """
    offered = sorted(
        name
        for name, one in release.offered.items()
        if not one.capability.is_internal and not one.capability.deprecated
    )
    found: list[Finding] = []
    shared: list[str] = []
    for name in offered:
        users = sorted({code for code, used in observed.used if used == name})
        times = observed.used[users[0], name] if users else 0
        if len(users) > 1:
            shared.append(name)
        elif not users or (times >= ALONE_MIN and users[0] in release.lines):
            said = mark(f"{users[0]} alone calls it") if users else mark("nobody called it")
            found.append(
                Finding(
                    verdict="lift" if users else "delete",
                    what=mark(f"capability {name}: {said}"),
                    where=name,
                    front_end=users[0] if users else "",
                    evidence=mark(f"{times:,} calls, of the calls and their parts of {len(release.lines)} front ends"),
                    next=mark(f"make it a flow of {users[0]}'s own") if users else mark("deprecate it with a date"),
                    pack=name.partition(".")[0],
                    kind="capability",
                    name=name,
                )
            )
    return offered, shared, found


def _points(observed: Observed, release: Release, today: date) -> Iterator[Finding]:
    """Find extension points with fewer than two answers: each costs a question in every call."""
    answers = [answer for line in release.lines.values() for answer in answers_of(line)]
    for name, point in sorted(release.points.items()):
        given = {answer.function: answer for answer in answers if answer.point is point}
        is_young = point.until is not None and point.until > today
        if len(given) < 2 and not is_young:
            asked = sum(times for (_, one), times in observed.asked.items() if one == name)
            only = next(iter(given.values()), None)
            yield Finding(
                verdict="delete",
                what=mark(f"extension point {name} has one answer")
                if only
                else mark(f"extension point {name} has no answer"),
                where=name,
                front_end="",
                evidence=mark(f"asked {asked:,} times for {len(release.lines)} front ends")
                if only is None
                else _heard(observed, release, only, asked),
                next=_about(observed, release, only),
                pack=name.partition(".")[0],
                kind="default" if only and _is_everybodys(observed, release, only) else "point",
                name=name,
            )


def _heard(observed: Observed, release: Release, only: Answer, asked: int) -> str:
    """Say of the only answer to a question who has it, and what it is good for there."""
    if _is_everybodys(observed, release, only):
        return mark(f"asked {asked:,} times, and all who ask have {only.label} ({only.source})")
    having = sorted(code for code, line in release.lines.items() if only.function in _functions(line))
    said = observed.said[only.label, only.point.name, True]
    times = sum(observed.asked[code, only.point.name] for code in having)
    who = ", ".join(having)
    return mark(
        f"asked {asked:,} times, {times:,} of them of {who}, who have {only.label} ({only.source}): it had an opinion "
        f"{said:,} times; the others take the default"
    )


def _about(observed: Observed, release: Release, only: Answer | None) -> str:
    if only is None:
        return mark("delete it, or give it a date (`until`) by which a second answer is there")
    if _is_everybodys(observed, release, only):
        return mark("make what it says the platform's own, and ask no more")
    return mark("decide: do without what it says, or give it a date (`until`) by which a second answer is there")


def _functions(line: CompiledFrontEnd) -> set[object]:
    return {one.function for one in answers_of(line)}


def _is_everybodys(observed: Observed, release: Release, answer: Answer) -> bool:
    """Tell whether everybody who asks has an answer, which always has an opinion: then it is a default."""
    if answer.when or not answer.is_total or answer.point.combine.name not in AS_IT_COMES:
        return False

    def has(line: CompiledFrontEnd) -> bool:
        return all(
            answer.function in {one.function for held in node.candidates.values() for one in held.answers}
            for node in line.nodes
        )

    return all(has(line) for code, line in release.lines.items() if observed.asked[code, answer.point.name])


def _dead_answers(observed: Observed, release: Release) -> Iterator[Finding]:
    """Find a front end's answers that never had an opinion, though their point was asked, and all they ask came."""
    for code, line in sorted(release.lines.items()):
        for answer in answers_of(line):
            name = answer.point.name
            if answer.owner.partition(".")[0] != code or observed.asked[code, name] < ASKED_MIN:
                continue
            code_of = inspect.unwrap(answer.function).__code__
            passed = observed.said[answer.label, name, False]
            if observed.said[answer.label, name, True] or ((answer.when or answer.applies) and not passed):
                continue  # of one whose case never came nobody knows what it would have said
            if not untried(observed.probes, code, Path(code_of.co_filename), code_of.co_qualname):
                yield Finding(
                    verdict="delete",
                    what=mark(f"answer {answer.label} never had an opinion"),
                    where=f"{answer.source} on {name}",
                    front_end=code,
                    evidence=mark(f"{name} was asked {observed.asked[code, name]:,} times for {code}"),
                    next=mark("delete it, or look at its `when` and at what it returns PASS for"),
                    kind="answer",
                    name=answer.label,
                )


def answers_of(line: CompiledFrontEnd) -> list[Answer]:
    """Return the answers of a front end and its parts, each as often as it is a candidate."""
    return [answer for node in line.nodes for one in node.candidates.values() for answer in one.answers]


def short_path(file: Path) -> str:
    """Return a file from its package on, which is what a reader looks for."""
    parts = file.parts
    start = max((at + 1 for at, part in enumerate(parts) if part in ("src", "site-packages")), default=len(parts) - 3)
    return "/".join(parts[max(0, start) :])
