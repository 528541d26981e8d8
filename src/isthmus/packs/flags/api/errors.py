"""What can be wrong with flags."""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.kernel import errors

from .definition import FLAGS_MAX


class UnknownFlag(errors.NotFound):
    """There is no such flag."""

    slug = "flags.unknown-flag"

    def __init__(self, *, key: str, known: Iterable[str] = ()) -> None:
        hint = errors.near(key, known)
        super().__init__(f"there is no flag {key!r}{hint}", remedy="list the flags", path="$.key")


class WrongFlag(errors.BadAsk):
    """A flag cannot be as it was given."""

    slug = "flags.wrong-flag"


class UnknownSegment(errors.BadAsk):
    """A rule names a segment that nobody works out."""

    slug = "flags.unknown-segment"

    def __init__(self, *, segment: str, known: Iterable[str], path: str) -> None:
        names = sorted(known)
        super().__init__(
            f"segment {segment!r} is not known here{errors.near(segment, names)}",
            remedy=f"use one of {', '.join(names[:20])}" if names else "declare it, and let it be worked out once",
            path=path,
        )


class FlagChanged(errors.Conflict):
    """The flag is in another version than its change was made for."""

    slug = "flags.flag-changed"

    def __init__(self, *, key: str, version: int) -> None:
        remedy = "look at it as it is now, and make the change again"
        super().__init__(f"flag {key!r} was changed meanwhile: it is of version {version}", remedy=remedy, path="$")


class TooManyFlags(errors.RuleBroken):
    """The front end has as many flags as it may have."""

    slug = "flags.too-many-flags"

    def __init__(self) -> None:
        super().__init__(f"there are {FLAGS_MAX} flags already", remedy="delete those that nobody asks", path="$")


class UnknownChange(errors.NotFound):
    """There is no such change."""

    slug = "flags.unknown-change"

    def __init__(self, *, number: int) -> None:
        super().__init__(f"there is no change {number}", remedy="list the changes", path="$.number")


class ChangeClosed(errors.Conflict):
    """The change has been decided already."""

    slug = "flags.change-closed"

    def __init__(self, *, number: int, state: str) -> None:
        super().__init__(f"change {number} is {state}", remedy="make another change", path="$.number")


class NeedsAnother(errors.RuleBroken):
    """A change is approved by another person than made it."""

    slug = "flags.needs-another"

    def __init__(self, *, number: int, author: str) -> None:
        super().__init__(
            f"change {number} was made by {author!r}, and is approved by another person who is signed in",
            remedy="let somebody else look at it",
            path="$.number",
        )


class NoExperiment(errors.NotFound):
    """The flag has no experiment."""

    slug = "flags.no-experiment"

    def __init__(self, *, key: str) -> None:
        remedy = "give it one with flags.put-flag"
        super().__init__(f"flag {key!r} has no experiment", remedy=remedy, path="$.key")
