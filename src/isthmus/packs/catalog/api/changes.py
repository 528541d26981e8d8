"""Changes to the group's products that somebody proposes and somebody else approves.

    change:  propose ──▶ open ──approve──▶ approved: the product is so at once
                          ├──refuse───▶ refused
                          └──withdraw─▶ withdrawn

An open change has no effect. One that was proposed to a version which the product no longer has is stale: it can be
refused or withdrawn, and not approved. Front ends with the setting `catalog.changes` = `proposed` cannot import.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Value, capability, errors, event
from isthmus.values import Code, Moment, PageSize

from .products import BadCursor, Cursor, DuplicateSku, ProductDraft, SchemaViolation, UnknownCategory

DECIDED_MAX = 100  # of one ask: each is shown to a person before
CHANGES = "catalog.changes"  # the setting of a front end
PROPOSED = "proposed"  # its value where products are changed by proposals only

ChangeState = Literal["open", "approved", "refused", "withdrawn"]
Reason = Annotated[str, Meta(max_length=500)]


class ProposeChange(Value):
    """Propose what a product shall be: a new one, or all that is to stand in place of what it is."""

    product: ProductDraft
    because: Reason = ""


class FieldChange(Value):
    """One thing that would be other than before; nothing: there is or was none."""

    field: str  # such as `title`, `attributes.colour` or `variants.pot-s.unit`
    before: str | None
    after: str | None


class Change(Value):
    """A change, what became of it, and what it is about field by field."""

    change_id: UUID
    code: str
    state: ChangeState
    is_stale: bool  # open, and proposed to a version which the product no longer has
    base_version: int  # that it was proposed to; 0: a new product
    because: str
    proposed_at: Moment
    proposed_by: str
    proposed_in: str  # the front end that it was proposed through
    fields: tuple[FieldChange, ...]
    decided_at: Moment | None = None
    decided_by: str | None = None
    answer: str = ""
    version: int | None = None  # that it has become


class GetChange(Value):
    """Ask for one change."""

    change_id: UUID


class ListChanges(Value):
    """Ask for changes, the latest first: of one product, in one state, or all."""

    code: Code | None = None
    state: ChangeState | None = None
    limit: PageSize = 50
    cursor: Cursor | None = None


class Changes(Value):
    """Some changes, and how to go on."""

    items: tuple[Change, ...]
    next_cursor: str | None


class DecideChanges(Value):
    """Approve changes, or refuse them."""

    change_ids: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=DECIDED_MAX)]
    is_approved: bool
    answer: Reason = ""


class WithdrawChange(Value):
    """Take back a change that waits."""

    change_id: UUID
    answer: Reason = ""


class ChangesDecided(Value):
    """The changes as they are now, in the order asked."""

    items: tuple[Change, ...]


@event("catalog.change-proposed", version="1.0", subject="change_id")
class ChangeProposed(Value):
    """Somebody waits for an answer."""

    change_id: UUID
    code: str
    proposed_in: str


@event("catalog.change-decided", version="1.0", subject="change_id")
class ChangeDecided(Value):
    """A change was approved, refused or withdrawn."""

    change_id: UUID
    code: str
    state: ChangeState
    proposed_in: str


class NothingChanged(errors.RuleBroken):
    """The product is like this already."""

    slug = "catalog.nothing-changed"

    def __init__(self, *, code: str) -> None:
        super().__init__(f"product {code!r} is like this already", remedy="say what shall change", path="$.product")


class NoSuchChange(errors.NotFound):
    """There is no such change."""

    slug = "catalog.no-such-change"

    def __init__(self, *, change_id: UUID, path: str) -> None:
        super().__init__(f"there is no change {change_id}", remedy="list them with catalog.list-changes", path=path)


class AlreadyDecided(errors.Conflict):
    """The change was answered before."""

    slug = "catalog.already-decided"

    def __init__(self, *, change_id: UUID, state: str, by: str, path: str) -> None:
        super().__init__(
            f"change {change_id} is {state} already, by {by!r}",
            remedy="propose another one where something else is wanted",
            path=path,
        )


class OwnChange(errors.NotPermitted):
    """Who proposed a change does not decide it."""

    slug = "catalog.own-change"

    def __init__(self, *, change_id: UUID, by: str, path: str) -> None:
        super().__init__(
            f"change {change_id} was proposed by {by!r}, who cannot decide it",
            remedy="have somebody else decide it, or withdraw it",
            path=path,
        )


class NotYourChange(errors.NotPermitted):
    """Only who proposed a change takes it back."""

    slug = "catalog.not-your-change"

    def __init__(self, *, change_id: UUID, by: str) -> None:
        super().__init__(f"change {change_id} was proposed by {by!r}", remedy="refuse it instead", path="$.change_id")


class StaleChange(errors.Conflict):
    """The product has changed since the change was proposed."""

    slug = "catalog.stale-change"

    def __init__(self, *, change_id: UUID, code: str, base_version: int, version: int, path: str) -> None:
        super().__init__(
            f"change {change_id} was proposed to version {base_version} of product {code!r}, "
            f"which has version {version}",
            remedy="refuse it, and have it proposed anew to what the product is now",
            path=path,
        )


@capability(
    "catalog.propose-change",
    version="1.0",
    effect=Effect.WRITE,
    raises=[SchemaViolation, UnknownCategory, DuplicateSku, NothingChanged],
)
def propose_change(ask: ProposeChange) -> Change:
    """Propose a new product, or what one of the group shall be; nothing is other than before until it is approved.

    What an import would refuse is refused now. Whoever may decide finds it in `catalog.list-changes`.
    """
    ...


@capability("catalog.get-change", version="1.0", effect=Effect.READ, raises=[NoSuchChange])
def get_change(ask: GetChange) -> Change:
    """Return a change with each field that it is about, before and after, and what became of it."""
    ...


@capability("catalog.list-changes", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_changes(ask: ListChanges) -> Changes:
    """List changes, the latest first, with who proposed and who decided them."""
    ...


@capability(
    "catalog.decide-changes",
    version="1.0",
    effect=Effect.WRITE,
    raises=[
        NoSuchChange,
        AlreadyDecided,
        OwnChange,
        StaleChange,
        SchemaViolation,
        UnknownCategory,
        DuplicateSku,
    ],
    deadline_ms=30_000,
)
def decide_changes(ask: DecideChanges) -> ChangesDecided:
    """Approve up to 100 changes, which are then imported at once, or refuse them; all or none.

    Nobody decides what they proposed. A change is approved only while the product has the version that it is of.
    """
    ...


@capability(
    "catalog.withdraw-change", version="1.0", effect=Effect.WRITE, raises=[NoSuchChange, AlreadyDecided, NotYourChange]
)
def withdraw_change(ask: WithdrawChange) -> Change:
    """Take back a change that waits, if one proposed it oneself."""
    ...
