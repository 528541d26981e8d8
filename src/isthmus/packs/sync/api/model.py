"""What syncs and how it merges; operations, documents, and what met on the way."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Pii
from isthmus.values import Code, Moment, PageSize

OPERATIONS_MAX: Final = 1_000
VALUE_BYTES_MAX: Final = 16_384
DOCUMENTS_MAX: Final = 500  # of one pull; the next goes on
TEXT_BYTES_MAX: Final = 262_144
SET_MAX: Final = 1_000  # elements of one set

MemberId = Annotated[UUID, Pii("identifier")]
ClientId = Annotated[str, Pii("identifier"), Meta(pattern=r"^[A-Za-z0-9._:-]{8,100}\Z")]
Scope = Annotated[
    str, Pii("identifier"), Meta(pattern=r"^([A-Za-z0-9._:-]{1,100})?\Z", description="empty: the member's own")
]
Reference = Annotated[
    str,
    Pii("identifier"),
    Meta(max_length=100, description="of a guest: an order's id, or the member they have become; forgotten with it"),
]
DocumentId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,100}\Z")]
Sequence = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Version = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Schema = dict[str, int]


class Merge(enum.StrEnum):
    """How what two wrote becomes one: the last in the server's order; a sum; add wins over remove; a text of both."""

    LAST = "last-writer"
    COUNTER = "counter"
    SET = "set"
    TEXT = "text"


class Was(Value):
    """What a field was called up to a version."""

    until: Annotated[int, Meta(ge=1)]
    name: Code


class Field(Value):
    """A field of a collection. since: the version that has it first. was: its names before."""

    name: Code
    merge: Merge = Merge.LAST
    since: Annotated[int, Meta(ge=1)] = 1
    was: tuple[Was, ...] = ()


class Collection(Value):
    """What a front end syncs under a name. version: the newest; oldest: the oldest that is still understood."""

    name: Code
    fields: tuple[Field, ...]
    version: Annotated[int, Meta(ge=1)] = 1
    oldest: Annotated[int, Meta(ge=1)] = 1


class Operation(Value):
    """One change. sequence: of the client, without gaps. base: the version that the client had pulled when it was made.

    kind: `set` a value, `increment` a counter, `add` to a set or `remove` from it, `edit` a text (an update of Yjs in
    base64), `delete` the document.
    """

    sequence: Sequence
    collection: Code
    document: DocumentId
    kind: Literal["set", "increment", "add", "remove", "edit", "delete"]
    field: Annotated[str, Meta(max_length=64)] = ""
    value: Annotated[Any, Pii("free-text")] = None
    base: Version = 0


class PushOperations(Value):
    """Push what a client has changed, in its order. schema: the versions that it speaks; else the newest."""

    client_id: ClientId
    member_id: MemberId
    operations: Annotated[tuple[Operation, ...], Meta(min_length=1, max_length=OPERATIONS_MAX)]
    scope: Scope = ""
    schema: Schema = {}
    reference: Reference = ""


class Conflict(Value):
    """What two wrote without knowing of each other. sentence: what has happened, for whoever made one of them."""

    conflict_id: int
    scope: Scope
    collection: str
    document: str
    field: str
    kept: Annotated[Any, Pii("free-text")]
    lost: Annotated[Any, Pii("free-text")]
    kept_by: ClientId
    lost_by: ClientId
    at: Moment
    sentence: Annotated[str, Pii("free-text")]


class Pushed(Value):
    """What was taken. sequence: the last of the client; again: operations that were known; version: of the scope."""

    sequence: int
    version: int
    applied: int
    again: int
    conflicts: tuple[Conflict, ...]


class Pull(Value):
    """Ask for what has changed since a version. collections: only of these; none named: of all."""

    client_id: ClientId
    member_id: MemberId
    since: Version = 0
    scope: Scope = ""
    collections: Annotated[tuple[Code, ...], Meta(max_length=50)] = ()
    schema: Schema = {}
    reference: Reference = ""


class Document(Value):
    """A document as it is now, in the words of the version that was asked with. A text has `text` and `update`."""

    collection: str
    document: str
    version: int
    is_deleted: bool
    values: Annotated[dict[str, Any], Pii("free-text")]


class Pulled(Value):
    """Documents that have changed, in the order of the server. version: to ask with next; is_more: ask at once."""

    documents: tuple[Document, ...]
    version: int
    is_more: bool
    sequence: int


class ShareScope(Value):
    """Have another member sync a scope too, or no more. The first who names a scope is in it."""

    scope: Annotated[str, Pii("identifier"), Meta(pattern=r"^[A-Za-z0-9._:-]{1,100}\Z")]
    member_id: MemberId
    with_member_id: MemberId
    is_shared: bool = True


class ScopeMembers(Value):
    """Who syncs a scope."""

    members: tuple[MemberId, ...]


class ListConflicts(Value):
    """List conflicts that nobody has settled, the newest first. member_id, scope: those of one alone."""

    member_id: MemberId | None = None
    scope: Scope = ""
    limit: PageSize = 50
    before: Annotated[int, Meta(ge=1, le=2**62)] | None = None


class Conflicts(Value):
    """Conflicts; `next_before` goes on with those before."""

    items: tuple[Conflict, ...]
    next_before: int | None = None


class SettleConflict(Value):
    """Say which of the two it should be: what stands (`kept`), or what it took the place of (`lost`)."""

    conflict_id: Annotated[int, Meta(ge=1, le=2**62)]
    choose: Literal["kept", "lost"]


class Prune(Value):
    """Forget operations that no client will send again. days: how old they are."""

    days: Annotated[int, Meta(ge=30, le=3_650)] = 180


class Pruned(Value):
    """How many are gone."""

    operations: int
