"""What PostgreSQL and the way to it can say, as the kernel's errors.

| PostgreSQL                                            | raised            | what the asker may do          |
|-------------------------------------------------------|-------------------|--------------------------------|
| connection lost or refused, server stopping           | Unavailable       | send again                     |
| serialization failure, deadlock                       | Undone            | send again: the kernel did     |
| lock or query limit                                   | Unavailable       | send again                     |
| a value out of the range of its column                | BadAsk            | send a smaller one             |
| a text with NUL                                       | BadAsk            | leave it out                   |
| unique, check, foreign key, not null, exclusion       | ConstraintBroken  | nothing, unless a pack says so |
| a row beyond the part that a call is confined to      | NotFound          | name what is within it         |
| permission, row-level security, write in a read       | Fault             | nothing: fix the code         |
| any other                                             | Fault             | nothing: fix the code         |
"""

from __future__ import annotations

from typing import Final

import asyncpg

from isthmus.kernel import errors

PART_WRITE: Final = '"part_write'  # policies of a walled table that hold a writing call to its parts begin so
AGAIN: Final = "send it again; with the same Idempotency-Key it has its effect once"

_PASSING: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,  # statement limit, shutdown, cannot connect now
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidCachedStatementError,  # a migration changed a table under a prepared statement
)


class ConstraintBroken(errors.Fault):
    """A row breaks a constraint of the database, and no pack said what that means.

    A pack that knows the meaning catches this, looks at `constraint`, and raises its own refusal.
    """

    slug = "store.constraint-broken"

    def __init__(self, *, constraint: str, table: str, detail: str) -> None:
        super().__init__(
            f"constraint {constraint!r} of {table!r} is broken: {detail}",
            remedy="catch ConstraintBroken where this constraint has a meaning, and raise a declared refusal",
            constraint=constraint,
            table=table,
        )
        self.constraint = constraint
        self.table = table


class BadAddress(errors.Unavailable):
    """What is set as the database's address is not the address of a PostgreSQL."""

    slug = "store.bad-address"

    def __init__(self, wrong: ValueError) -> None:
        super().__init__(
            f"the database's address cannot be read: {wrong}",
            remedy="set ISTHMUS_DATABASE_URL to one like postgresql://user:password@host:5432/name, or leave it unset",
        )


def translated(error: Exception) -> errors.IsthmusError:
    """Return the kernel's error for one of asyncpg or of the network."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return ConstraintBroken(
            constraint=said(error, "constraint_name") or "not null",
            table=f"{said(error, 'schema_name')}.{said(error, 'table_name')}",
            detail=said(error, "detail") or str(error),
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return _refused_by_the_wall(error)
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return errors.Fault(
            f"a reading call tried to write: {error}", remedy="declare the capability with Effect.WRITE"
        )
    if isinstance(error, (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)):
        return errors.Undone(f"the database undid it for another's sake: {error}", remedy=AGAIN)
    if isinstance(error, _PASSING):
        return errors.Unavailable(f"the database broke off: {error}", remedy=AGAIN)
    if isinstance(error, (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)):
        return errors.BadAsk("a text holds a character that no column can: NUL", remedy="leave it out", path="$")
    if isinstance(error, asyncpg.DataError) and "out of" in str(error):  # out of range, out of int32 range
        return errors.BadAsk(
            "a value is beyond what its column can hold", remedy="send one within the limits of its kind", path="$"
        )
    if isinstance(error, asyncpg.PostgresError):
        return errors.Fault(f"the database refused a statement: {error}", remedy="fix the statement")
    return _not_sent(error)


def said(error: asyncpg.PostgresError, field: str) -> str:
    """Return a field of PostgreSQL's error message, such as `hint`, or nothing where it has none."""
    return getattr(error, field, None) or ""


def _refused_by_the_wall(error: asyncpg.InsufficientPrivilegeError) -> errors.IsthmusError:
    if PART_WRITE in str(error):  # what is another's is as what is not there
        return errors.NotFound(
            "something that is named is not there for who calls, who has to do with a part of the front end alone",
            remedy="name goods, orders or settlements of that part, as its lists have them",
        )
    if "row-level security" in str(error):
        return errors.Fault(
            f"a row of another front end was about to be written: {error}",
            remedy="write the front end of the call (ctx.front_end) into the row",
        )
    return errors.Fault(
        f"the database does not let packs do this: {error}",
        remedy="call isthmus.guard('schema.table') or isthmus.share('schema.table') in the pack's migration",
    )


def _not_sent(error: Exception) -> errors.IsthmusError:
    """Tell a lost connection from a wrong argument: asyncpg has one class for both.

    A connection that the server has ended, and that asyncpg has not closed yet, is an InternalClientError.
    """
    if isinstance(error, asyncpg.InterfaceError) and "closed" not in str(error) and "released" not in str(error):
        return errors.Fault(f"a statement could not be sent: {error}", remedy="fix the call of the session")
    return errors.Unavailable(f"the connection to the database is lost: {error!r}", remedy=AGAIN)
