"""Accounts in use: who is signed in for all shops, what each may know, and who has to hear that it has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from isthmus.kernel import Caller, Value, ports
from isthmus.later import later
from isthmus.manifest import Place, Secret
from isthmus.manifest.actions import Doer
from isthmus.sealing import UNSEALED, Seals
from isthmus.store import Database

from .. import storage
from .keys import DataKey, Signing

if TYPE_CHECKING:
    import httpx
else:
    httpx = later("httpx")

LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_S: Final = 120  # how long a logout token is good
ANSWERS_WITHIN_S: Final = 5.0

log = logging.getLogger("isthmus.packs.account")


class ClientSettings(Value):
    """`[settings.account.clients.<name>]`: a shop that signs shoppers in here.

    redirects: where they may be sent back to, exactly. secret: of a shop that keeps one; all prove PKCE. left: where it
    hears that a session has ended. after: where whoever signed out may be sent.
    """

    front_end: str
    redirects: tuple[str, ...]
    secret: Secret | None = None
    left: str = ""
    after: tuple[str, ...] = ()
    name: str = ""


class AccountSettings(Value):
    """`[settings.account]`: where shoppers sign in, and the shops that send them there.

    issuer: the address of this platform with `/account`; nothing: nobody signs in here. key: 32 random bytes in a file.
    """

    issuer: str = ""
    key: str = ""
    clients: dict[str, ClientSettings] = {}


class Accounts:
    """Who is signed in, for all shops."""

    def __init__(
        self,
        database: Database,
        key: DataKey,
        settings: AccountSettings,
        journal: Callable[[], ports.Journal | None] = lambda: None,
        seals: Callable[[], Seals | None] = lambda: None,
    ) -> None:
        self.database = database
        self.settings = settings
        self.signing = Signing(key)
        self.key = key
        self._journal = journal
        self._seals = seals

    @property
    def seals(self) -> Seals:
        """What keeps addresses encrypted, where a company wants that."""
        return self._seals() or UNSEALED

    @property
    def issuer(self) -> str:
        return self.settings.issuer.rstrip("/")

    @asynccontextmanager
    async def act(self, client: str, name: str, /, **said: Any) -> AsyncGenerator[ports.Session]:
        """Give a transaction for something done for a shop, with its entry in the journal."""
        front_end = self.settings.clients[client].front_end if client in self.settings.clients else "*"
        by = Doer(caller=Caller(front_end=front_end, client=client, via="http"), journal=self._journal())
        async with self.database.platform_transaction() as session:
            yield session
            await by.note(session, name, said)

    async def keep_keys(self) -> None:
        """Have keys take turns, and forget what has ended."""
        if self.issuer:
            async with self.database.platform_transaction() as session:
                await self.signing.follow(session)
        async with self.database.platform() as session:
            await storage.prune(session)

    async def notify(self) -> None:
        """Tell shops which sessions have ended; who does not answer is asked again, later each time."""
        async with self.database.platform() as session:
            rows = await storage.due_notices(session)
        for row in rows:
            await self._notified(row["session_id"], row["account_id"], row["client"])

    async def _notified(self, session_id: UUID, account_id: UUID, client: str) -> None:
        own = self.settings.clients.get(client)
        if own is not None and own.left:
            async with self.database.platform_transaction() as session:
                now = await storage.now_s(session)
                claims: dict[str, Any] = {
                    "iss": self.issuer, "aud": client, "iat": now, "exp": now + LOGOUT_S, "sub": str(account_id),
                    "sid": str(session_id), "jti": f"{session_id}.{now}", "events": {LOGOUT: {}},
                }  # fmt: skip
                token = await self.signing.signed(session, claims, "logout+jwt")
            if not await _is_sent(own.left, token):
                return
        async with self.database.platform() as session:
            await storage.end_notice(session, session_id, client)


async def _is_sent(address: str, token: str) -> bool:
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S), httpx.AsyncClient(timeout=ANSWERS_WITHIN_S) as client:
            reply = await client.post(address, data={"logout_token": token})
    except (httpx.HTTPError, TimeoutError) as wrong:
        log.warning("a shop could not be told that a session has ended, again later: %r", wrong)
        return False
    return reply.is_success or reply.status_code == 400  # what it will never take


def accounts_at(place: Place) -> Accounts:
    settings: AccountSettings = place.settings
    file: Path = place.root / settings.key if settings.key else place.data / "account" / "key"
    return Accounts(
        place.database, DataKey(file), settings, lambda: place.resource(ports.Journal), lambda: place.resource(Seals)
    )


def accounts_of(owner: Any) -> Accounts:
    """Return the accounts of a platform that runs, or of what commands opened."""
    return cast(Accounts, owner.resource(Accounts))
