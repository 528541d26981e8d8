"""What inventory refuses of stock, as others may name it."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import errors

UNITS_MAX = 1_000_000_000  # of one stock; far from where 64 bits end


class ReferenceUsed(errors.Conflict):
    """The reference already stands for something else."""

    slug = "inventory.reference-used"

    def __init__(self, *, reference: str, what: str) -> None:
        super().__init__(
            f"reference {reference!r} already stands for another {what}",
            remedy="send a new reference with a new ask, or the first ask with this reference",
            path="$.reference",
            reference=reference,
        )


class LotDiffers(errors.Conflict):
    """The lot is known with another last day, or its last day is over."""

    slug = "inventory.lot-differs"

    def __init__(self, *, lot: str, path: str) -> None:
        super().__init__(
            f"lot {lot!r} is known here with another last day, or has expired",
            remedy="look at it with inventory.list-lots, and book what came in under its own lot",
            path=path,
            lot=lot,
        )


class NotOnHand(errors.Conflict):
    """Fewer units are there than are to leave, or than must stay for reservations."""

    slug = "inventory.not-on-hand"

    def __init__(self, *, lines: Sequence[dict[str, object]]) -> None:
        first = lines[0]
        super().__init__(
            f"{len(lines)} line(s) would take more than is there and free: {first['sku']!r} at {first['location']!r} "
            f"has {first['on_hand']} on hand, {first['reserved']} of them reserved",
            remedy="receive or count the stock, or release reservations first",
            path=str(first["path"]),
            lines=list(lines),
        )


class CountBelowReserved(errors.Conflict):
    """Fewer units were counted than are promised."""

    slug = "inventory.count-below-reserved"

    def __init__(self, *, lines: Sequence[dict[str, object]]) -> None:
        first = lines[0]
        super().__init__(
            f"{len(lines)} count(s) are below what is reserved: {first['sku']!r} at {first['location']!r} "
            f"has {first['reserved']} reserved",
            remedy="release reservations, or send may_fall_short to have the gap back-ordered",
            path=str(first["path"]),
            lines=list(lines),
        )


class TooManyUnits(errors.RuleBroken):
    """A stock would hold more units than can be."""

    slug = "inventory.too-many-units"

    def __init__(self, *, sku: str, location: str, path: str) -> None:
        super().__init__(
            f"{sku!r} at {location!r} would hold more than {UNITS_MAX} units",
            remedy="check the quantity, or keep the SKU in a larger unit",
            path=path,
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that a list gave."""

    slug = "inventory.bad-cursor"

    def __init__(self, *, cursor: str) -> None:
        super().__init__(
            f"{cursor!r} is not a cursor of this list",
            remedy="send next_cursor of the page before, or none for the first page",
            path="$.cursor",
        )


class NotLent(errors.NotFound):
    """Nobody lends this location to the front end."""

    slug = "inventory.not-lent"

    def __init__(self, *, location: str, path: str) -> None:
        super().__init__(
            f"location {location!r} is not lent to you",
            remedy="ask its owner for a grant of inventory.location, or correct the code",
            path=path,
            location=location,
        )


class LocationTaken(errors.Conflict):
    """The front end has stock of its own under the code of a location that is lent to it."""

    slug = "inventory.location-taken"

    def __init__(self, *, location: str, path: str) -> None:
        super().__init__(
            f"you have stock of your own at {location!r}",
            remedy="move it to a location with another code first: inventory.transfer",
            path=path,
            location=location,
        )


class AnothersStock(errors.RuleBroken):
    """What lies at a lent location is its owner's to book."""

    slug = "inventory.anothers-stock"

    def __init__(self, *, location: str, path: str) -> None:
        super().__init__(
            f"location {location!r} is lent to you: its owner books what comes and goes there",
            remedy="have its owner book it, or use a location of your own",
            path=path,
            location=location,
        )


class SerialTaken(errors.Conflict):
    """A unit with this number is there already."""

    slug = "inventory.serial-taken"

    def __init__(self, *, sku: str, serial: str, path: str) -> None:
        super().__init__(
            f"{sku!r} with number {serial!r} is in stock already",
            remedy="read the number again; inventory.list-serial-steps says where the unit is",
            path=path,
        )


class SerialNotThere(errors.Conflict):
    """The unit is not among those that can be taken."""

    slug = "inventory.serial-not-there"

    def __init__(self, *, sku: str, serial: str, path: str) -> None:
        super().__init__(
            f"{sku!r} with number {serial!r} does not lie there, or is held for somebody else",
            remedy="take another unit, or correct the number",
            path=path,
        )


class TooManySerials(errors.RuleBroken):
    """More units are named than there are of the goods."""

    slug = "inventory.too-many-serials"

    def __init__(self, *, sku: str, path: str) -> None:
        super().__init__(
            f"more units of {sku!r} are named by number than there are of it here",
            remedy="name each unit once, and no more than the quantity",
            path=path,
        )


class SerialsNeeded(errors.RuleBroken):
    """What leaves is told apart by numbers, and it is not said which."""

    slug = "inventory.serials-needed"

    def __init__(self, *, sku: str, location: str) -> None:
        super().__init__(
            f"more units of {sku!r} at {location!r} have numbers than would be left there",
            remedy="say in `serials` which units leave; inventory.list-serials lists them",
            path="$.serials",
            sku=sku,
            location=location,
        )
