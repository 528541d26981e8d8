"""What follows each command within a second: its place in the chain of its front end and in the tree over all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from isthmus.kernel import Value, encode, ports
from isthmus.kernel.host import new_call_id
from isthmus.manifest import Place
from isthmus.store import Database

from .. import api, storage
from ..rules import chain, merkle
from .journal import Journal
from .keys import key_id, signing_key
from .publish import Receiver, publish, receiver_of

FOLDER: Final = "audit"  # below the platform's data
KEY: Final = "signing.pem"
HEADS: Final = "heads.jsonl"


class AuditSettings(Value):
    """`[settings.audit]`: the file of the signing key, the receivers of heads (a file, or http(s)), days that are kept.

    kept_days: by front end; `*` for all others. A front end that is not there keeps everything.
    """

    key: str = ""
    publish_to: str = ""
    kept_days: dict[str, int] = {}


class Sealer:
    """Gives entries their places, signs heads, and publishes them. One process of all is at it at a time."""

    def __init__(
        self,
        database: Database,
        *,
        key: Path,
        receiver: Receiver,
        kept_days: Mapping[str, int] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self.key_file = key
        self.receiver = receiver
        self._kept_days = dict(kept_days or {})
        self._clock = clock
        self._is_behind = True
        self._published = -1

    async def seal(self) -> None:
        """Seal what is committed, page after page, and publish the head. Every server does so twice a second."""
        sealed = storage.PAGE
        while sealed == storage.PAGE:  # behind a page that is not full nothing waits yet
            sealed = await self._seal_page()
            self._is_behind |= sealed > 0
        if self._is_behind:
            self._is_behind = False  # before the head is read: what another call seals meanwhile is behind again
            try:
                async with self._database.platform() as session:
                    await publish(self.receiver, session)
            except BaseException:
                self._is_behind = True
                raise

    async def _seal_page(self) -> int:
        """Seal one page; return how many entries it had."""
        async with self._database.platform() as session:
            if not await storage.is_pending(session):  # most often: no transaction for that
                return 0
        async with self._database.platform_transaction() as session:
            rows = await storage.take(session)
            if not rows:
                return 0
            row = await storage.head(session)
            size: int = row["size"] if row else 0
            frontier: list[bytes] = row["frontier"] if row else []
            sealed, links = _sealed(rows, size, await storage.last_links(session, [*{r["front_end"] for r in rows}]))
            await storage.move(session, [row["id"] for row in rows], encode(sealed))
            grown = merkle.grown(size, frontier, [merkle.leaf(link) for link in links])
            root, at = merkle.frontier_root(grown), self._clock()
            head = await asyncio.to_thread(self._signed, size + len(rows), at, root)
            await storage.add_head(session, head, root, grown)
            return len(rows)

    def _signed(self, size: int, at: datetime, root: bytes) -> api.Head:
        key = signing_key(self.key_file)
        signature = key.sign(chain.signed(size, at, root))
        return api.Head(size=size, at=at, root=root.hex(), key=key_id(key.public_key()), signature=signature.hex())

    async def cut_old(self) -> None:
        """Take the content of entries that are older than their front end keeps them; that is an entry itself."""
        if not self._kept_days:
            return
        async with self._database.platform() as session:
            codes = [row["front_end"] for row in await storage.front_ends(session)]
        for code in codes:
            days = self._kept_days.get(code, self._kept_days.get("*", 0))
            if days > 0:
                await self._cut(code, days)

    async def _cut(self, code: str, days: int) -> None:
        now = self._clock()
        async with self._database.platform() as session:
            through = await storage.last_before(session, code, now - timedelta(days=days))
        if through is None:
            return
        record = api.Record(
            call=new_call_id(now), at=now, front_end=code, capability=api.CUT, outcome=api.DONE, via="retention",
            client="platform", through=through, reason=f"{code} keeps entries for {days} days",
        )  # fmt: skip
        await Journal(self._database).note(record)  # first: what is gone without a word of it counts as removed
        async with self._database.platform() as session:
            await storage.cut(session, code, through)


def sealer_at(place: Place) -> Sealer:
    settings: AuditSettings = place.settings
    folder = place.data / FOLDER
    return Sealer(
        place.database,
        key=Path(settings.key) if settings.key else folder / KEY,
        receiver=receiver_of(settings.publish_to, folder / HEADS),
        kept_days=settings.kept_days,
    )


def _sealed(
    rows: Sequence[ports.Row], size: int, last: Mapping[str, tuple[int, bytes]]
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Return the columns of entries at their places, and their links."""
    ends = dict(last)
    sealed: list[dict[str, Any]] = []
    links: list[bytes] = []
    for position, row in enumerate(rows, size):
        code, content = row["front_end"], row["content"]
        number, before = ends.get(code, (0, chain.first_link(code)))
        link = chain.link(before, content)
        ends[code] = number + 1, link
        links.append(link)
        places = {"id": row["id"], "position": position, "front_end": code, "number": number + 1, "link": link.hex()}
        sealed.append({**places, **chain.searched(content)})
    return sealed, links
