"""Rules of flags, compiled: JSON logic as flagd reads it becomes functions that call each other.

    var == === != !== < <= > >= ! !! and or if in cat substr + - * / % min max some all none
    starts_with ends_with sem_ver fractional       flagd's
    segment                                        whether whoever asks is in a segment of the data platform

What an operator cannot be applied to is no answer of the whole rule (`NoAnswer`), so that the default variant holds:
a version that is none is neither older nor newer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

import mmh3

from .operators import FLAGDS, PLAIN, NoAnswer, is_in, is_true

Context = Mapping[str, Any]
Rule = Callable[[Context], Any]
Watch = Callable[[str, str, Any], None]  # the part's path, its operator, what came of it

TARGETING_KEY: Final = "targetingKey"
SEGMENTS: Final = "$segments"  # of whoever asks; the platform says them, never a client
TIMESTAMP: Final = "$timestamp"
NODES_MAX: Final = 2_000  # a rule of more is a table, and belongs into one
DEPTH_MAX: Final = 30
WEIGHTS_MAX: Final = 2**31 - 1


class WrongRule(Exception):
    """A rule cannot be compiled: where, and why."""

    def __init__(self, path: str, because: str) -> None:
        super().__init__(f"{because} at {path}")
        self.path = path
        self.because = because


def compiled(logic: Any, key: str, watch: Watch | None = None) -> Rule:
    """Return a rule of a flag, ready to be asked. watch: sees each part that is looked at. Raises WrongRule."""
    return _Compiler(key, watch).rule(logic, "$", 0)


def segments_of(logic: Any) -> Iterator[tuple[str, str]]:
    """Yield the segments that a rule names, each with its path."""
    yield from _segments(logic, "$")


def bucket_of(seed: str, total: int) -> int:
    """Return the bucket of a seed, from 0 to total - 1: flagd's integer buckets (murmur3, x86, 32 bits)."""
    return (mmh3.hash(seed, signed=False) * total) >> 32


def _segments(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, inside in cast("dict[str, Any]", node).items():
            if name == "segment":
                yield from ((str(one), f"{path}.segment") for one in _listed(inside))
            yield from _segments(inside, f"{path}.{name}")
    elif isinstance(node, list | tuple):
        for at, one in enumerate(cast("Sequence[Any]", node)):
            yield from _segments(one, f"{path}[{at}]")


class _Compiler:
    def __init__(self, key: str, watch: Watch | None) -> None:
        self._key = key
        self._watch = watch
        self._nodes = 0
        self._constants: dict[Rule, Any] = {}

    def rule(self, node: Any, path: str, depth: int) -> Rule:
        self._nodes += 1
        if self._nodes > NODES_MAX or depth > DEPTH_MAX:
            raise WrongRule(path, f"a rule has at most {NODES_MAX} parts, {DEPTH_MAX} deep")
        if isinstance(node, list | tuple):
            inside = [self.rule(one, f"{path}[{at}]", depth + 1) for at, one in enumerate(cast("Sequence[Any]", node))]
            if all(one in self._constants for one in inside):
                return self._constant([self._constants[one] for one in inside])
            return lambda c: [one(c) for one in inside]
        if not isinstance(node, dict) or not node:
            return self._constant(node)
        fields = cast("dict[str, Any]", node)
        if len(fields) != 1:
            raise WrongRule(path, f"one operator to a part, and here are {', '.join(sorted(fields))}")
        ((name, inside),) = fields.items()
        if (made := self._operator(name, inside, f"{path}.{name}", depth)) is None:
            known = (*_SPECIAL, *PLAIN)
            raise WrongRule(path, f"there is no operator {name!r}; there are {', '.join(sorted(known))}")
        return made if self._watch is None else _watched(made, path, name, self._watch)

    def _operator(self, name: str, inside: Any, path: str, depth: int) -> Rule | None:
        if name in _SPECIAL:
            return getattr(self, _SPECIAL[name])(inside, path, depth)
        if name not in PLAIN:
            return None
        apply, least, most = PLAIN[name]
        args = _listed(inside)
        if not least <= len(args) <= most:
            if name in FLAGDS:  # as flagd has it: found when it is asked
                return _never
            raise WrongRule(path, f"{name} takes {least} to {most} parts, and here are {len(args)}")
        rules = [self.rule(one, f"{path}[{at}]", depth + 1) for at, one in enumerate(args)]
        if len(rules) == 2:
            one, two = rules
            return lambda c: apply(one(c), two(c))
        if len(rules) == 1:
            only = rules[0]
            return lambda c: apply(only(c))
        return lambda c: apply(*[one(c) for one in rules])

    def _constant(self, value: Any) -> Rule:
        made = _always(value)
        self._constants[made] = value
        return made

    def _in(self, inside: Any, path: str, depth: int) -> Rule:
        args = _listed(inside)
        if len(args) != 2:
            raise WrongRule(path, "in takes what is looked for, and where")
        one, where = (self.rule(arg, f"{path}[{at}]", depth + 1) for at, arg in enumerate(args))
        fixed = self._constants.get(where)
        if isinstance(fixed, list) and all(isinstance(item, str) for item in cast("list[Any]", fixed)):
            names = frozenset(cast("list[str]", fixed))
            return lambda c: isinstance(found := one(c), str) and found in names
        return lambda c: is_in(one(c), where(c))

    def _var(self, inside: Any, path: str, depth: int) -> Rule:
        args = _listed(inside)
        name = args[0] if args else ""
        if not isinstance(name, str | int) or isinstance(name, bool) or len(args) > 2:
            raise WrongRule(path, "var names a field of the context, and what it is where that is missing")
        name = str(name)
        otherwise = args[1] if len(args) == 2 else None
        if name == "$flagd.flagKey":
            return _always(self._key)
        if name == "$flagd.timestamp":
            name = TIMESTAMP
        if name == "":
            return lambda c: c.get("", c)  # an element of a list that is looked through, or all there is
        if "." not in name:
            return (lambda c: c.get(name)) if otherwise is None else (lambda c: c.get(name, otherwise))
        return partial(_deep, tuple(name.split(".")), otherwise)

    def _if(self, inside: Any, path: str, depth: int) -> Rule:
        args = _listed(inside)
        rules = [self.rule(one, f"{path}[{at}]", depth + 1) for at, one in enumerate(args)]
        pairs = [(rules[at], rules[at + 1]) for at in range(0, len(rules) - 1, 2)]
        last = rules[-1] if len(rules) % 2 else _always(None)
        if len(pairs) == 1:
            ((when, then),) = pairs
            return lambda c: then(c) if is_true(when(c)) else last(c)

        def choose(c: Context) -> Any:
            for when, then in pairs:
                if is_true(when(c)):
                    return then(c)
            return last(c)

        return choose

    def _and(self, inside: Any, path: str, depth: int) -> Rule:
        rules = [self.rule(one, f"{path}[{at}]", depth + 1) for at, one in enumerate(_listed(inside))]

        def every(c: Context) -> Any:
            found: Any = None
            for one in rules:
                if not is_true(found := one(c)):
                    return found
            return found

        return every

    def _or(self, inside: Any, path: str, depth: int) -> Rule:
        rules = [self.rule(one, f"{path}[{at}]", depth + 1) for at, one in enumerate(_listed(inside))]

        def some(c: Context) -> Any:
            found: Any = None
            for one in rules:
                if is_true(found := one(c)):
                    return found
            return found

        return some

    def _quantified(self, inside: Any, path: str, depth: int) -> Rule:
        name, args = path.rpartition(".")[2], _listed(inside)
        if len(args) != 2:
            raise WrongRule(path, f"{name} takes a list and a condition on its elements")
        items, holds = (self.rule(one, f"{path}[{at}]", depth + 1) for at, one in enumerate(args))

        def judge(c: Context) -> bool:
            found = items(c)
            listed = cast("Sequence[Any]", found) if isinstance(found, list | tuple) else ()
            said = (is_true(holds(_element(one))) for one in listed)
            if name == "some":
                return any(said)
            return (bool(listed) and all(said)) if name == "all" else not any(said)

        return judge

    def _segment(self, inside: Any, path: str, depth: int) -> Rule:
        names = frozenset(_listed(inside))
        if not names or not all(isinstance(one, str) for one in names):
            raise WrongRule(path, "segment takes the names of segments, of which one is enough")
        return lambda c: not names.isdisjoint(c.get(SEGMENTS, ()))

    def _fractional(self, inside: Any, path: str, depth: int) -> Rule:
        args = _listed(inside)
        is_seeded = bool(args) and not isinstance(args[0], list | tuple)
        seed = self.rule(args[0], f"{path}[0]", depth + 1) if is_seeded else self._own_seed
        buckets = args[1:] if is_seeded else args
        if not buckets or not all(isinstance(one, list | tuple) and 1 <= len(one) <= 2 for one in buckets):
            raise WrongRule(path, 'fractional takes buckets such as ["on", 25], after the seed where it has its own')
        pairs = [(one[0], one[1] if len(one) == 2 else 1) for one in buckets]
        if all(_is_weight(weight) and not isinstance(name, dict | list) for name, weight in pairs):
            return _fixed_shares(seed, [(name, max(0, weight)) for name, weight in pairs], path)
        rules = [
            (self.rule(name, f"{path}[{at}][0]", depth + 1), self.rule(weight, f"{path}[{at}][1]", depth + 1))
            for at, (name, weight) in enumerate(pairs)
        ]

        def choose(c: Context) -> Any:
            found = [(name(c), weight(c)) for name, weight in rules]
            if not all(_is_weight(weight) for _, weight in found):
                raise NoAnswer
            return _fixed_shares(seed, [(name, max(0, weight)) for name, weight in found], path)(c)

        return choose

    def _own_seed(self, c: Context) -> Any:
        if not isinstance(key := c.get(TARGETING_KEY), str) or not key:
            raise NoAnswer
        return self._key + key


def _fixed_shares(seed: Rule, shares: Sequence[tuple[Any, int]], path: str) -> Rule:
    total = sum(weight for _, weight in shares)
    if total > WEIGHTS_MAX:
        raise WrongRule(path, f"the weights add up to {total}, and {WEIGHTS_MAX} is the limit")
    bounds = [(sum(weight for _, weight in shares[: at + 1]), name) for at, (name, _) in enumerate(shares)]

    def choose(c: Context) -> Any:
        text = seed(c)
        if not isinstance(text, str) or not total:
            raise NoAnswer
        bucket = (mmh3.hash(text, signed=False) * total) >> 32
        for bound, name in bounds:
            if bucket < bound:
                return name
        raise NoAnswer

    return choose


def _is_weight(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _always(value: Any) -> Rule:
    return lambda c: value


def _never(c: Context) -> Any:
    raise NoAnswer


def _watched(rule: Rule, path: str, name: str, watch: Watch) -> Rule:
    def see(c: Context) -> Any:
        try:
            found = rule(c)
        except NoAnswer:
            watch(path, name, "cannot be applied")
            raise
        watch(path, name, found)
        return found

    return see


def _listed(inside: Any) -> list[Any]:
    return list(cast("Sequence[Any]", inside)) if isinstance(inside, list | tuple) else [inside]


def _deep(steps: Sequence[str], otherwise: Any, c: Context) -> Any:
    found: Any = c
    for step in steps:
        if isinstance(found, Mapping):
            found = cast("Mapping[str, Any]", found).get(step)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(cast("list[Any]", found)):
            found = cast("list[Any]", found)[int(step)]
        else:
            return otherwise
    return otherwise if found is None else found


def _element(value: Any) -> Context:
    return cast("Context", value) if isinstance(value, Mapping) else {"": value}


_SPECIAL: Final = {
    "var": "_var", "if": "_if", "?:": "_if", "and": "_and", "or": "_or", "fractional": "_fractional",
    "in": "_in", "segment": "_segment", "some": "_quantified", "all": "_quantified", "none": "_quantified",
}  # fmt: skip
