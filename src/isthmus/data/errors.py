"""What the data platform refuses, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isthmus.kernel import errors

SHOWN_MAX = 5  # as many examples as a person needs to find the fault


class UnknownName(errors.NotFound):
    """The model has no metric, entity or field of this name."""

    slug = "data.unknown-name"

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(
            f"there is no {kind} {name!r}{errors.near(name, names)}",
            remedy=f"known are {', '.join(names[:20])}" if names else f"the model has no {kind} at all",
            name=name,
        )


class NoAttribute(UnknownName):
    """The asker sees no attribute of this name: nobody has it, or another front end does."""

    slug = "data.no-attribute"

    def __init__(self, entity: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        errors.NotFound.__init__(
            self,
            f"you have no attribute {name!r} of {entity}{errors.near(name, names)}",
            remedy=f"yours are {', '.join(names) or 'none'}; a front end declares its own in "
            "FrontEnd(attributes={...}), and asks for nobody else's",
            name=name,
        )


class NotADimension(errors.BadAsk):
    """The field is not marked as something to group or filter by."""

    slug = "data.not-a-dimension"


class AmbiguousPath(errors.BadAsk):
    """More than one chain of references leads to a field, and they mean different things."""

    slug = "data.ambiguous-path"

    def __init__(self, origin: str, field: str, paths: Sequence[str]) -> None:
        super().__init__(
            f"{field!r} can be reached from {origin} in {len(paths)} ways: {'; '.join(paths)}",
            remedy="write the one that is meant in place of the field",
            paths=tuple(paths),
        )


class NoPath(errors.BadAsk):
    """No chain of references leads to a field."""

    slug = "data.no-path"

    def __init__(self, origin: str, field: str, metric: str, across: Sequence[str] = ()) -> None:
        remedy = "leave it out, or ask for this metric alone"
        if across:
            remedy = f"write a path through a shared entity if that is meant: {'; '.join(across)}"
        super().__init__(f"{metric} counts {origin}, and no reference leads from there to {field!r}", remedy=remedy)


class NeedsTime(errors.BadAsk):
    """The metric has a meaning only by time, or by another grain than was asked."""

    slug = "data.needs-time"


def _such_as(examples: Sequence[object]) -> str:
    return f", such as {', '.join(map(str, examples))}" if examples else "; its owner is shown which"


class DuplicateKey(errors.Conflict):
    """A declared key is not unique in this snapshot, so numbers that rely on it would be inflated."""

    slug = "data.duplicate-key"

    def __init__(self, entity: str, key: Sequence[str], table: str, count: int, examples: Sequence[object]) -> None:
        super().__init__(
            f"the key ({', '.join(key)}) of {entity} is not unique: {count} value(s) of it occur more than once or "
            f"are empty{_such_as(examples)}",
            remedy=f"remove the duplicate rows of {table}, or accept a flagged answer with `accept: duplicates`",
            entity=entity,
            examples=tuple(examples),
        )


class TiedLevels(errors.Conflict):
    """A series of levels has two rows at one moment, so that its last level is not known."""

    slug = "data.tied-levels"

    def __init__(self, entity: str, per: Sequence[str], count: int, examples: Sequence[object]) -> None:
        super().__init__(
            f"{count} time(s) {entity} has two rows of one series ({', '.join(per)}) at one moment{_such_as(examples)}",
            remedy="name in `per` all fields that tell its series apart, or give each row a time of its own; "
            "`accept: duplicates` takes the row with the greatest key",
            entity=entity,
            examples=tuple(examples),
        )


class NumberTooLarge(errors.BadAsk):
    """A number of the answer has more digits than are kept exactly."""

    slug = "data.number-too-large"


class BrokenReference(errors.Conflict):
    """Rows refer to rows that are not there, and the asker wanted whole references only."""

    slug = "data.broken-reference"

    def __init__(self, reference: str, count: int, examples: Sequence[object]) -> None:
        super().__init__(
            f"{count} row(s) of {reference} refer to nothing{_such_as(examples)}",
            remedy="land what is missing, or leave `whole` out: such rows then stand in the group without a value",
            examples=tuple(examples),
        )


class StaleData(errors.Conflict):
    """The newest rows are older than they may be, and the asker wanted fresh ones only."""

    slug = "data.stale"

    def __init__(self, stale: Sequence[str]) -> None:
        super().__init__(
            "; ".join(stale),
            remedy="see with `isthmus data land` why nothing new comes, or leave `is_fresh` out for a flagged answer",
            stale=tuple(stale),
        )


class MixedCurrencies(errors.BadAsk):
    """Amounts of several currencies would be added up."""

    slug = "data.mixed-currencies"


class NoRate(errors.Conflict):
    """Amounts were to be converted, and the lake has no rate for the day of a row."""

    slug = "data.no-rate"

    def __init__(self, currency: str, lacking: Sequence[str]) -> None:
        more = f", and {len(lacking) - SHOWN_MAX} more" if len(lacking) > SHOWN_MAX else ""
        super().__init__(
            f"no rate to {currency} for {', '.join(lacking[:SHOWN_MAX])}{more}",
            remedy="bring them with `isthmus data rates FILE`; `--carry 4` lets a rate stand over days without one",
            lacking=tuple(lacking),
        )


class BadRates(errors.BadAsk):
    """A file of exchange rates is not as it must be."""

    slug = "data.bad-rates"


class NotAnswered(errors.NotPermitted):
    """The asker's policy does not open this entity, field or metric."""

    slug = "data.not-answered"


class BadMetric(errors.BadAsk):
    """A metric is asked for in a way that has no meaning."""

    slug = "data.bad-metric"
