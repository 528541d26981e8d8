"""A connection to a PostgreSQL that a command names with `--url`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import asyncpg

from isthmus.kernel import errors
from isthmus.store import DirectConnection, connect

_NOT_THERE: Final = (
    OSError,
    ValueError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ClientConfigurationError,
)


async def connected(url: str, settings: Mapping[str, str], *, to: str, undone: str) -> DirectConnection:
    """Return a connection. Raises Unavailable where nobody answers at the address, or not with this name."""
    try:
        return await connect(url, **settings)
    except _NOT_THERE as failed:
        raise errors.Unavailable(
            f"the PostgreSQL to {to} takes no connection: {failed}",
            remedy=f"see that --url names its host, port, database and user; nothing was {undone}",
        ) from failed
