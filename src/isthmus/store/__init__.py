"""PostgreSQL: rows, transactions, events, idempotency records, migrations. It knows no pack."""

from .database import Database
from .errors import ConstraintBroken
from .migrate import Migration, MigrationSource, migrate

__all__ = ["ConstraintBroken", "Database", "Migration", "MigrationSource", "migrate"]
