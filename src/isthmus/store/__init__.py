"""PostgreSQL: rows, transactions, events, idempotency records, migrations. It knows no pack."""

from isthmus.kernel.host import NOT_BATCHABLE, GroupCommit, NotBatchable

from .connecting import DirectConnection, connect
from .database import Database
from .errors import ConstraintBroken
from .feed import EventGroup, Feed, Reading, know_streams
from .front_end_tables import front_end_source, migrate_own, schema_of
from .kept_answers import KeptAnswers, release
from .listening import listen
from .migrate import check_tables, look, migrate
from .migration_files import Migration, MigrationSource
from .outbox import Batch, ConsumerState, Event, Outbox
from .relay import Consumer, Relay
from .retention import prune_answers, prune_events
from .tables import NoTables, Tables, TablesNewer, TablesOlder
from .versions import UnsupportedPostgres
from .watched import METER, Meter, Statement, watched

__all__ = [
    "METER",
    "NOT_BATCHABLE",
    "Batch",
    "ConstraintBroken",
    "Consumer",
    "ConsumerState",
    "Database",
    "DirectConnection",
    "Event",
    "EventGroup",
    "Feed",
    "GroupCommit",
    "KeptAnswers",
    "Meter",
    "Migration",
    "MigrationSource",
    "NoTables",
    "NotBatchable",
    "Outbox",
    "Reading",
    "Relay",
    "Statement",
    "Tables",
    "TablesNewer",
    "TablesOlder",
    "UnsupportedPostgres",
    "check_tables",
    "connect",
    "front_end_source",
    "know_streams",
    "listen",
    "look",
    "migrate",
    "migrate_own",
    "prune_answers",
    "prune_events",
    "release",
    "schema_of",
    "watched",
]
