"""What fulfilment refuses because of how things stand. Named through `fulfilment.api`."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import errors


class PlaceNotLent(errors.NotFound):
    """Nobody lends this place to the front end."""

    slug = "fulfilment.place-not-lent"

    def __init__(self, *, method: str, path: str) -> None:
        super().__init__(
            f"place {method!r} is not lent to you",
            remedy="ask its owner for a grant of fulfilment.method, or correct the code",
            path=path,
        )


class UnknownShipment(errors.NotFound):
    """There is no such shipment."""

    slug = "fulfilment.unknown-shipment"

    def __init__(self, *, what: str, path: str) -> None:
        super().__init__(
            f"there is no shipment {what}",
            remedy="plan it with fulfilment.plan, or find it with fulfilment.list-shipments",
            path=path,
        )


class UnknownParcel(errors.NotFound):
    """The shipment has no such parcel."""

    slug = "fulfilment.unknown-parcel"

    def __init__(self, *, parcel: str, known: Sequence[str]) -> None:
        super().__init__(
            f"the shipment has no parcel {parcel!r}{errors.near(parcel, known)}",
            remedy=f"it has {', '.join(known)}" if known else "pack one with fulfilment.pack",
            path="$.parcel",
        )


class PlannedOtherwise(errors.Conflict):
    """The reference is planned already, with other lines."""

    slug = "fulfilment.planned-otherwise"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"the shipments of {reference!r} are planned already, from another ask",
            remedy="read them with fulfilment.list-shipments; cancel lines with fulfilment.cancel",
            path="$.reference",
        )


class OverShip(errors.Conflict):
    """More is to be packed, shipped or cancelled than is left of the lines."""

    slug = "fulfilment.over-ship"

    def __init__(self, *, lines: Sequence[dict[str, object]]) -> None:
        over = [f"{line['left']} of {line['sku']!r} are left, not {line['quantity']}" for line in lines[:1]]
        super().__init__(
            over[0] if over else "nothing is left to pack",
            remedy="read the shipment with fulfilment.get-shipment, and take no more than is left",
            path=str(lines[0]["path"]) if lines else "$.parcel",
            lines=list(lines),
        )


class ParcelDiffers(errors.Conflict):
    """The parcel is packed with other goods than the ask names."""

    slug = "fulfilment.parcel-differs"

    def __init__(self, *, parcel: str) -> None:
        super().__init__(
            f"parcel {parcel!r} is packed with other goods",
            remedy="leave lines out to ship what is in it, or name another parcel",
            path="$.parcel",
        )


class IllegalStep(errors.Conflict):
    """The parcel is in a state from which this step does not lead on."""

    slug = "fulfilment.illegal-step"

    def __init__(self, *, parcel: str, state: str, step: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"parcel {parcel!r} is {state} and cannot be {step}",
            remedy=f"from {state} it can be {' or '.join(allowed)}" if allowed else f"{state} is an end",
            path="$.parcel",
            state=state,
        )


class LeftAlready(errors.Conflict):
    """All that is sent for the reference has left: no address stops it."""

    slug = "fulfilment.left-already"

    def __init__(self, *, reference: str) -> None:
        super().__init__(
            f"every shipment of {reference!r} has left, or will not be sent",
            remedy="ask the carrier to redirect it, or wait until it is back",
            path="$.reference",
            reference=reference,
        )
