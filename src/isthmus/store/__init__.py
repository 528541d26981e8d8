"""PostgreSQL: rows, transactions, events, idempotency records, migrations. It knows no pack."""

from .database import Database
from .errors import ConstraintBroken
from .migrate import Migration, MigrationSource, migrate
from .outbox import Batch, ConsumerState, Event, Outbox
from .own import migrate_own, schema_of
from .relay import Consumer, Relay
from .retention import prune_answers, prune_events
from .together import ALONE, Alone, Together

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
