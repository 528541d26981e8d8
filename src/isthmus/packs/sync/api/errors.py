"""What can be wrong with what is synced."""

from __future__ import annotations

from isthmus.kernel import errors


class UnknownField(errors.BadAsk):
    """Nothing of that name is synced, or not in this version."""

    slug = "sync.unknown-field"

    def __init__(self, *, what: str, path: str) -> None:
        super().__init__(f"{what} is not synced", remedy="declare it in an answer to sync.collections", path=path)


class WrongOperation(errors.BadAsk):
    """An operation does not fit how its field is merged."""

    slug = "sync.wrong-operation"

    def __init__(self, *, because: str, path: str) -> None:
        remedy = "set for last-writer, increment for counters, add and remove for sets, edit for texts"
        super().__init__(because, remedy=remedy, path=path)


class NotDecidedHere(errors.RuleBroken):
    """An amount of money is never decided by what a device says."""

    slug = "sync.not-decided-here"

    def __init__(self, *, path: str) -> None:
        remedy = "sync what somebody wants, and ask for its price with a preview of the order"
        super().__init__("this says an amount of money", remedy=remedy, path=path)


class SchemaTooOld(errors.RuleBroken):
    """A client speaks a version that is not understood any more, or not yet."""

    slug = "sync.schema-too-old"

    def __init__(self, *, collection: str, version: int, oldest: int, newest: int) -> None:
        fact = f"version {version} of {collection!r} is not understood; versions {oldest} to {newest} are"
        super().__init__(fact, remedy="update the app; what it has not pushed stays on the device", path="$.schema")


class SequenceWentBack(errors.Conflict):
    """A number was used for another operation: a device was restored, or two have one id."""

    slug = "sync.sequence-went-back"

    def __init__(self, *, sequence: int, last: int) -> None:
        fact = f"operation {sequence} was another one before, and {last} is the last that is known"
        remedy = "take a new client_id, pull, and push what is left under it from 1 on"
        super().__init__(fact, remedy=remedy, path="$.operations")


class OperationMissing(errors.Conflict):
    """An operation before these has not come yet."""

    slug = "sync.operation-missing"

    def __init__(self, *, sequence: int, last: int) -> None:
        fact = f"operation {sequence} comes after {last}"
        super().__init__(fact, remedy="push from the one after the last that was taken", path="$.operations")


class ClientTaken(errors.Conflict):
    """The client is another member's."""

    slug = "sync.client-taken"

    def __init__(self, *, client_id: str) -> None:
        remedy = "take a new client_id when somebody else signs in"
        super().__init__(f"client {client_id!r} is another member's", remedy=remedy, path="$.client_id")


class ScopeOfOthers(errors.NotPermitted):
    """The scope was not shared with the member."""

    slug = "sync.scope-of-others"

    def __init__(self, *, scope: str) -> None:
        remedy = "have somebody who is in it share it"
        super().__init__(f"scope {scope!r} is not shared with the member", remedy=remedy, path="$.scope")


class UnknownConflict(errors.NotFound):
    """There is no such conflict that is open."""

    slug = "sync.unknown-conflict"

    def __init__(self, *, conflict_id: int) -> None:
        super().__init__(f"there is no open conflict {conflict_id}", remedy="list them", path="$.conflict_id")
