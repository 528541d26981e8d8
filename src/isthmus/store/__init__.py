"""PostgreSQL: rows, transactions, events, idempotency records, migrations. It knows no pack."""

from isthmus.kernel.run.group_commit import ALONE, Alone, Together

from .database import Database
from .errors import ConstraintBroken
from .front_end_tables import front_end_source, migrate_own, schema_of
from .migrate import Migration, MigrationSource, check_tables, look, migrate
from .outbox import Batch, ConsumerState, Event, Outbox
from .relay import Consumer, Relay
from .retention import prune_answers, prune_events
from .tables import NoTables, Tables, TablesNewer, TablesOlder
from .versions import UnsupportedPostgres

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
    "NoTables",
    "Outbox",
    "Relay",
    "Tables",
    "TablesNewer",
    "TablesOlder",
    "Together",
    "UnsupportedPostgres",
    "check_tables",
    "front_end_source",
    "look",
    "migrate",
    "migrate_own",
    "prune_answers",
    "prune_events",
    "schema_of",
]
