"""Clients push what they have changed, and pull what others have."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import Effect, capability, combine, extension_point
from isthmus.personal import Forget, Forgotten

from .errors import (
    ClientTaken,
    NotDecidedHere,
    OperationMissing,
    SchemaTooOld,
    ScopeOfOthers,
    SequenceWentBack,
    UnknownConflict,
    UnknownField,
    WrongOperation,
)
from .model import (
    Collection,
    Conflict,
    Conflicts,
    ListConflicts,
    Prune,
    Pruned,
    Pull,
    Pulled,
    Pushed,
    PushOperations,
    ScopeMembers,
    SettleConflict,
    ShareScope,
)


@extension_point("sync.collections", combine=combine.collect())
def collections() -> Sequence[Collection]:
    """Say what apps of the front end change offline: collections, their fields, and how each is merged.

    Default: nothing. A field that was renamed says what it was called (`was`), and a new one since when it is there, so
    that clients of older versions go on.
    """
    return ()


@capability(
    "sync.push",
    version="1.0",
    effect=Effect.WRITE,
    raises=[
        UnknownField, WrongOperation, NotDecidedHere, SchemaTooOld, SequenceWentBack, OperationMissing, ClientTaken,
        ScopeOfOthers,
    ],
)  # fmt: skip
def push(ask: PushOperations) -> Pushed:
    """Take the operations of a client, each once, in its order and after all that the server has; all of them or none.

    One that was taken before is left out. What another has written meanwhile, and this writes over, is a conflict;
    whoever has seen it and writes again settles it.
    """
    ...


@capability(
    "sync.pull", version="1.0", effect=Effect.WRITE, raises=[UnknownField, SchemaTooOld, ClientTaken, ScopeOfOthers]
)
def pull(ask: Pull) -> Pulled:
    """Return the documents of a scope that have changed since a version, as they are now."""
    ...


@capability("sync.share-scope", version="1.0", effect=Effect.WRITE, raises=[ScopeOfOthers])
def share_scope(ask: ShareScope) -> ScopeMembers:
    """Have another member sync a scope too, or no more. Safe to repeat."""
    ...


@capability("sync.list-conflicts", version="1.0", effect=Effect.READ, raises=[ScopeOfOthers])
def list_conflicts(ask: ListConflicts) -> Conflicts:
    """List what two wrote without knowing of each other, and nobody has settled."""
    ...


@capability("sync.settle-conflict", version="1.0", effect=Effect.WRITE, raises=[UnknownConflict])
def settle_conflict(ask: SettleConflict) -> Conflict:
    """Settle a conflict: what stands stays, or what it took the place of is written again, for all clients to pull."""
    ...


@capability("sync.prune", version="1.0", effect=Effect.WRITE)
def prune(ask: Prune) -> Pruned:
    """Forget operations that no client will send again."""
    ...


@capability("sync.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Forget members, and guests by their references: their clients, what they are in, and scopes of nobody else."""
    ...
