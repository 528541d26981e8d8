"""Which PostgreSQL this runs on, and the words that the older ones have for the same."""

from __future__ import annotations

import logging
from typing import Final

from isthmus.kernel import errors

OLDEST: Final = 14
NEWEST: Final = 18  # that all tests have run on

log = logging.getLogger("isthmus.store")

# Since 16 a member of a role may be without the right to act as it, and SQL says which of the two is meant. Before, a
# member may, and these words are not known. A shipped file is never edited, so it is read with the older words.
_BEFORE_16: Final = ((" with set true", ""), (", 'set')", ", 'member')"))
# Since 15 an index says whether nulls are distinct in it; before, they always are.
_BEFORE_15: Final = ((" nulls distinct", ""),)


class UnsupportedPostgres(errors.Unavailable):
    """The server is a PostgreSQL that Isthmus does not run on."""

    slug = "store.unsupported-postgres"

    def __init__(self, *, major: int) -> None:
        super().__init__(
            f"the database is PostgreSQL {major}, and Isthmus runs on {OLDEST} to {NEWEST}",
            remedy="upgrade it, or leave ISTHMUS_DATABASE_URL unset to use the embedded one",
            major=major,
        )


def check_version(major: int) -> None:
    """Return where a server is new enough; of one that is newer than any that was tried, the log says so."""
    if major < OLDEST:
        raise UnsupportedPostgres(major=major)
    if major > NEWEST:
        fact = "the database is PostgreSQL %d, and Isthmus was tried on %d to %d"
        remedy = "run `isthmus doctor` after you have tried it, or use PostgreSQL %d"
        log.warning(f"{fact}; {remedy}", major, OLDEST, NEWEST, NEWEST)


def for_server(sql: str, major: int) -> str:
    """Return a migration in the words of a server."""
    for since, words in ((16, _BEFORE_16), (15, _BEFORE_15)):
        if major < since:
            for word, before in words:
                sql = sql.replace(word, before)
    return sql
