"""Judging: facts and rules in, an outcome out. Pure, so a decision that is made again comes out the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from isthmus.kernel import Value

from .. import api

VARIABLES: Final = frozenset({"kind", "hour", "amount", "currency", "seen", "lists", "about"})
_BLANK: Final = dict.fromkeys(api.Known.__struct_fields__, 0)

Condition = Callable[[dict[str, Any]], Any]


class Judged(Value):
    """How something comes out. failed: rules that could not be worked out, which say nothing then."""

    outcome: api.Outcome
    score: int
    reasons: tuple[api.Reason, ...]
    failed: tuple[str, ...] = ()


def judged(content: api.Content, facts: api.Facts, answers: Sequence[api.Reason]) -> Judged:
    """Return what rules and a front end's own reasons come to: the hardest that any of them, or the score, leads to."""
    sight, reasons, failed = _sight(facts), list(answers), list[str]()
    is_accepted = False
    for rule in content.rules:
        if rule.kinds and facts.kind not in rule.kinds:
            continue
        try:
            holds = compiled(rule.when)(sight) is True
        except ImportError:  # what reads conditions is not installed: nobody is accepted for that
            raise
        except Exception:  # whatever a condition meets in facts, it is no reason to refuse somebody
            failed.append(rule.code)
            continue
        if holds:
            reasons.append(api.Reason(code=rule.code, score=rule.score, outcome=rule.outcome, by="rule"))
            if is_accepted := rule.outcome == "accept":
                break
    score = sum(one.score for one in reasons)
    outcome = "accept" if is_accepted else _hardest(content, reasons, score)
    if outcome == "challenge" and any(api.PASSED in lists for lists in facts.lists.values()):
        outcome, reasons = "accept", [*reasons, api.Reason(code=api.PASSED, by="list")]
    return Judged(outcome=outcome, score=score, reasons=tuple(reasons), failed=tuple(failed))


def kinds(content: api.Content) -> frozenset[str]:
    """Return what a version looks at: what rules, `watches` and `remote` are about; all kinds where it has none."""
    remote = content.remote.kinds if content.remote else ()
    if not content.rules and not content.watches and not remote:
        return frozenset(api.KINDS)
    by_rules = (kind for rule in content.rules for kind in rule.kinds or api.KINDS)
    return frozenset((*by_rules, *content.watches, *remote))


def _hardest(content: api.Content, reasons: Sequence[api.Reason], score: int) -> api.Outcome:
    by_score: tuple[tuple[int, api.Outcome], ...] = (
        (content.challenge_from, "challenge"),
        (content.review_from, "review"),
        (content.reject_from, "reject"),
    )
    said = {one.outcome for one in reasons} | {outcome for least, outcome in by_score if score >= least}
    for one in reversed(api.OUTCOMES):
        if one in said:
            return one
    return "accept"


def _sight(facts: api.Facts) -> dict[str, Any]:
    """Return what conditions see: each kind of mark is there, and has no counts where nothing has it."""
    known = {mark: _counts(facts.seen[mark]) if mark in facts.seen else _BLANK for mark in api.MARKS}
    return {
        "kind": facts.kind,
        "hour": facts.hour,
        "amount": facts.amount.minor if facts.amount else 0,
        "currency": facts.amount.currency if facts.amount else "",
        "seen": known,
        "lists": {mark: list(facts.lists.get(mark, ())) for mark in api.MARKS},
        "about": facts.about,
    }


def _counts(known: api.Known) -> dict[str, int]:
    return {name: getattr(known, name) for name in api.Known.__struct_fields__}


@lru_cache(maxsize=2_000)
def compiled(when: str) -> Condition:
    """Return a condition that was read. Raises ValueError for what is none, or names what is not there."""
    import cel  # when the first rule is read: it takes a while

    program = cel.compile(when)
    if unknown := sorted(set(program.variables()) - VARIABLES):
        raise ValueError(f"there is no {unknown[0]!r}; there are {', '.join(sorted(VARIABLES))}")
    return lambda sight: program.execute(sight)


def check(content: api.Content) -> None:
    """Raise WrongRule for the first rule that cannot be read, or that cannot be worked out on plain facts."""
    plain = _sight(api.Facts(kind="order", hour=0))
    codes: set[str] = set()
    for at, rule in enumerate(content.rules):
        path = f"$.rules[{at}].when"
        if rule.code in codes:
            raise api.WrongRule(code=rule.code, because="another rule has this code", path=f"$.rules[{at}].code")
        codes.add(rule.code)
        try:
            found = compiled(rule.when)(plain)
        except ValueError as wrong:
            raise api.WrongRule(code=rule.code, because=str(wrong).splitlines()[0], path=path) from None
        except KeyError as wrong:
            if "about" not in rule.when:
                raise api.WrongRule(code=rule.code, because=f"there is no {wrong}", path=path) from None
            continue
        except ImportError:
            raise
        except Exception:
            continue  # of other facts it may be worked out
        if not isinstance(found, bool):
            raise api.WrongRule(code=rule.code, because=f"it comes to {found!r}, and not to true or false", path=path)
