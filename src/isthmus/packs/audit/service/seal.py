"""What follows each command within a second: its place in the chain of its front end and in the tree over all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from isthmus.kernel import Value, encode, ports
from isthmus.kernel.host import new_call_id
from isthmus.manifest import Place
from isthmus.store import Database

from .. import api, storage
from ..rules import chain, merkle
from .journal import Journal
from .keys import key_id, signing_key
from .publish import Grown, Receiver, publish, receiver_of

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
        page = first = await self._seal_page()
        while page is not None and len(page.leaves) == storage.PAGE:  # behind one that is not full nothing waits yet
            page, first = await self._seal_page(), None
        if self._is_behind:
            self._is_behind = False  # before the head is read: what another call seals meanwhile is behind again
            try:
                async with self._database.platform() as session:
                    await publish(self.receiver, session, first)
            except BaseException:
                self._is_behind = True
                raise

    async def _seal_page(self) -> Grown | None:
        """Seal one page; return what the tree has grown by."""
        async with self._database.platform() as session:
            if not await storage.is_pending(session):  # most often: no transaction for that
                return None
        async with self._database.platform_transaction() as session:
            rows = await storage.take(session)
            if not rows:
                return None
            before = await storage.standing(session, [*{row["front_end"] for row in rows}])
            sealed, links = _sealed(rows, before)
            leaves = [merkle.leaf(link) for link in links]
            grown = merkle.grown(before.size, before.frontier, leaves)
            root, at = merkle.frontier_root(grown), self._clock()
            head = await asyncio.to_thread(self._signed, before.size + len(rows), at, root)
            await storage.move(session, encode(sealed))
            await storage.add_head(session, head, root, grown)
        self._is_behind = True
        return Grown(head, leaves)

    def _signed(self, size: int, at: datetime, root: bytes) -> api.Head:
        key = signing_key(self.key_file)
        signature = key.sign(chain.signed(size, at, root))
        return api.Head(size=size, at=at, root=root.hex(), key=key_id(key.public_key()), signature=signature.hex())

    async def cut_old(self) -> None:
        """Take the content of entries that are older than their front end keeps them; that is an entry itself."""
        async with self._database.platform() as session:
            await storage.forget_rows(session)
            codes = [row["front_end"] for row in await storage.front_ends(session)] if self._kept_days else []
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


def _sealed(rows: Sequence[ports.Row], before: storage.Standing) -> tuple[list[chain.Place], list[bytes]]:
    """Return entries at their places, and their links."""
    ends = dict(before.ends)
    sealed: list[chain.Place] = []
    links: list[bytes] = []
    for position, row in enumerate(rows, before.size):
        code, content = row["front_end"], row["content"]
        number, last = ends.get(code, (0, chain.first_link(code)))
        link = chain.link(last, content)
        ends[code] = number + 1, link
        links.append(link)
        sealed.append(chain.place(content, row["id"], position, code, number + 1, link))
    return sealed, links
