"""PostgreSQL: rows, transactions, events, idempotency records, migrations. It knows no pack."""

from isthmus.kernel.run.group_commit import ALONE, Alone, Together

from .database import Database
from .errors import ConstraintBroken
from .front_end_tables import migrate_own, schema_of
from .migrate import Migration, MigrationSource, migrate
from .outbox import Batch, ConsumerState, Event, Outbox
from .relay import Consumer, Relay
from .retention import prune_answers, prune_events

__all__ = [
    "ALONE",
    "Alone",
    "Batch",
    "ConstraintBroken",
    "Consumer",
    "ConsumerState",
    "Database",
    "Event",
    "Migration",
    "MigrationSource",
    "Outbox",
    "Relay",
    "Together",
    "migrate",
    "migrate_own",
    "prune_answers",
    "prune_events",
    "schema_of",
]
