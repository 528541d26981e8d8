"""Sync, as others may name it: what apps change offline is pushed, ordered by the server, merged, and pulled.

    client: operations 1, 2, 3 … ──push──▶ the order of the server ──merge by declaration──▶ documents ──pull──▶ clients

Each operation is taken once. Clients that have pulled everything have the same documents, whatever order they came in.
"""

# pyright: reportUnusedImport=false

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
    DOCUMENTS_MAX,
    OPERATIONS_MAX,
    SET_MAX,
    TEXT_BYTES_MAX,
    VALUE_BYTES_MAX,
    Collection,
    Conflict,
    Conflicts,
    Document,
    Field,
    ListConflicts,
    Merge,
    Operation,
    Prune,
    Pruned,
    Pull,
    Pulled,
    Pushed,
    PushOperations,
    ScopeMembers,
    SettleConflict,
    ShareScope,
    Was,
)
from .operations import (
    collections,
    forget,
    list_conflicts,
    prune,
    pull,
    push,
    settle_conflict,
    share_scope,
)
