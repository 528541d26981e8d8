"""Flags compiled, all of a front end in one version: asked thousands of times a second, and made anew by a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from isthmus.kernel import encode

from .. import api
from . import targeting
from .targeting import Context, NoAnswer, Rule, Watch, WrongRule

STATIC: Final = "STATIC"
DEFAULT: Final = "DEFAULT"
MATCH: Final = "TARGETING_MATCH"
SPLIT: Final = "SPLIT"
DISABLED: Final = "DISABLED"
ERROR: Final = "ERROR"
NOT_FOUND: Final = "FLAG_NOT_FOUND"
_FITS: Final[Mapping[api.FlagKind, Callable[[Any], bool]]] = {
    api.FlagKind.BOOLEAN: lambda value: isinstance(value, bool),
    api.FlagKind.STRING: lambda value: isinstance(value, str),
    api.FlagKind.NUMBER: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    api.FlagKind.OBJECT: lambda value: isinstance(value, dict | list),
}


class Found:
    """What a flag is for somebody, as a value of the pack and as OFREP writes it."""

    __slots__ = ("is_split", "value", "wire")

    def __init__(self, value: api.FlagEvaluation, metadata: Mapping[str, Any]) -> None:
        self.value = value
        self.is_split = value.reason == SPLIT
        self.wire = _wire(value, metadata)


def _wire(value: api.FlagEvaluation, metadata: Mapping[str, Any]) -> bytes:
    said: dict[str, Any] = {"key": value.key}
    if value.error_code:
        return encode({**said, "errorCode": value.error_code, "errorDetails": value.details})
    said |= {"reason": value.reason, "variant": value.variant, "metadata": metadata}
    return encode({**said, "value": value.value} if value.has_value else said)


def not_found(key: str) -> Found:
    """Return what an unknown flag is."""
    details = f"there is no flag {key[:100]!r}"
    return Found(api.FlagEvaluation(key=key, reason=ERROR, error_code=NOT_FOUND, details=details), {})


class CompiledFlag:
    """One flag, ready to be asked: `find` never raises."""

    def __init__(self, flag: api.Flag, others: Mapping[str, CompiledFlag], watch: Watch | None = None) -> None:
        self.flag = flag
        self._requires = [(others.get(one.key), frozenset(one.variants)) for one in flag.requires]
        self._rule: Rule | None = None
        self._split: Rule | None = None
        self._broken: Found | None = None
        self._default = self._of(flag.default_variant, STATIC if not flag.targeting else DEFAULT)
        self._unmet = self._of(flag.default_variant, DEFAULT)
        self._matched = {name: self._of(name, MATCH) for name in flag.variants}
        self._shared = {name: self._of(name, SPLIT) for name in flag.variants}
        self._disabled = self._of(None, DISABLED)
        try:
            self._rule = targeting.compiled(flag.targeting, flag.key, watch) if flag.targeting else None
            self._split = split_of(flag)
        except WrongRule as wrong:
            self._broken = self._wrong("PARSE_ERROR", f"its rule cannot be read: {wrong}")

    def find(self, context: Context) -> Found:
        """Return what the flag is for somebody."""
        if self._broken is not None:
            return self._broken
        if not self.flag.is_enabled:
            return self._disabled
        for other, variants in self._requires:
            if other is None or other.find(context).value.variant not in variants:
                return self._unmet
        if self._rule is not None:
            try:
                name = self._rule(context)
            except NoAnswer:
                return self._unmet
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                return self._wrong("GENERAL", f"its rule failed with {error!r}"[:300])
            if name is not None:
                return (self._matched.get(name) if isinstance(name, str) else None) or self._named(name)
        return self._default if self._split is None else self._shares(context)

    def _shares(self, context: Context) -> Found:
        assert self._split is not None
        try:
            return self._shared[self._split(context)]
        except NoAnswer:
            return self._wrong("TARGETING_KEY_MISSING", "its experiment goes by the targeting key, and none came")

    def _named(self, name: Any) -> Found:
        """Return the variant of a name that JSON writes otherwise: true is `true`."""
        text = str(name).lower() if isinstance(name, bool) else str(name)
        return self._matched.get(text) or self._wrong(
            "GENERAL", f"its rule gives variant {text[:60]!r}, which it lacks"
        )

    def _of(self, variant: str | None, reason: str) -> Found:
        has_value = variant is not None and variant in self.flag.variants
        value = api.FlagEvaluation(
            key=self.flag.key,
            reason=reason if has_value or reason == DISABLED else DEFAULT,
            variant=variant or "",
            value=self.flag.variants[variant] if has_value and variant is not None else None,
            has_value=has_value,
        )
        return Found(value, self.flag.metadata)

    def _wrong(self, code: str, details: str) -> Found:
        return Found(api.FlagEvaluation(key=self.flag.key, reason=ERROR, error_code=code, details=details), {})


class BrokenFlag:
    """A flag that is kept as this version of the platform cannot read it."""

    def __init__(self, key: str, because: str) -> None:
        details = f"it cannot be read: {because}"
        self.flag = None
        self._found = Found(api.FlagEvaluation(key=key, reason=ERROR, error_code="PARSE_ERROR", details=details), {})

    def find(self, context: Context) -> Found:
        """Return that it is broken."""
        return self._found


class Snapshot:
    """All flags of a front end in one version. segments: whether any rule asks for those of whoever asks."""

    def __init__(
        self, front_end: str, version: int, channel: str, flags: Sequence[api.Flag], broken: Iterable[BrokenFlag] = ()
    ) -> None:
        self.front_end = front_end
        self.version = version
        self.channel = channel
        self.flags = compiled_all(flags)
        self.has_segments = any(True for one in flags for _ in targeting.segments_of(one.targeting))
        found: dict[str, CompiledFlag | BrokenFlag] = {**self.flags}
        self._all = dict(sorted({**found, **{one.find({}).value.key: one for one in broken}}.items()))
        self._finds = [one.find for one in self._all.values()]

    def find(self, key: str, context: Context) -> Found:
        """Return what a flag is for somebody; one that is not there is FLAG_NOT_FOUND."""
        one = self._all.get(key)
        return not_found(key) if one is None else one.find(context)

    def find_all(self, context: Context) -> list[Found]:
        """Return what all flags are for somebody, by key."""
        return [find(context) for find in self._finds]


def compiled_all(flags: Sequence[api.Flag]) -> dict[str, CompiledFlag]:
    """Compile flags, those first that others require; in a circle, which nobody can put, the last misses the first."""
    by_key = {one.key: one for one in flags}
    made: dict[str, CompiledFlag] = {}

    def make(one: api.Flag, above: frozenset[str]) -> None:
        if one.key in made:
            return
        for need in one.requires:
            if need.key in by_key and need.key not in above:
                make(by_key[need.key], above | {need.key})
        made[one.key] = CompiledFlag(one, made)

    for one in flags:
        make(one, frozenset([one.key]))
    return made


def split_of(flag: api.Flag) -> Rule | None:
    """Return what splits the subjects of a flag's experiment; another experiment of the same flag splits otherwise."""
    if (own := flag.experiment) is None:
        return None
    seed = {"cat": [flag.key, "/", own.name, "/", {"var": targeting.TARGETING_KEY}]}
    shared = targeting.compiled(
        {"fractional": [seed, *([name, share] for name, share in own.shares.items())]}, flag.key
    )

    def split(context: Context) -> Any:
        if not context.get(targeting.TARGETING_KEY):
            raise NoAnswer
        return shared(context)

    return split


def fits(kind: api.FlagKind, value: Any) -> bool:
    """Return whether a value is of a kind."""
    return _FITS[kind](value)
