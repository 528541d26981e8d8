"""Asking services for scores, outside of any transaction, and taking what they said within one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, cast

from isthmus.kernel import Context, implements
from isthmus.kernel.host import check
from isthmus.store.kept_answers import release

from .. import api
from ..rules import marks
from ..storage import scores as storage
from .book import Running, book_of

NONE: Final = api.Scorers()
log = logging.getLogger("isthmus.packs.risk")


@implements(api.request_score)
async def request_score(ask: api.RequestScore, ctx: Context) -> api.Requested:
    book, wanted = book_of(ctx), dict[str, api.Remote]()
    for one in _remotes(await book.of(ctx.front_end), ask.kind):
        wanted.setdefault(one.name, one)
    if not wanted or not book.is_kept:
        return api.Requested(asked=0, answered=0)
    kinds, hashes = marks.hashes(ask.marks, book.key())
    hashed = cast("dict[api.MarkKind, str]", dict(zip(kinds, (one.hex() for one in hashes), strict=True)))
    asked = api.ScoreAsk(
        front_end=ctx.front_end, kind=ask.kind, hour=ctx.now.hour, amount=ask.amount, marks=hashed, about=ask.about
    )
    await release(ctx.session)
    found = await asyncio.gather(*(_asked(one, asked, ctx) for one in wanted.values()))
    for one, said in zip(wanted, found, strict=True):
        if said is not None:
            await book.keep_score((ctx.front_end, ask.kind, one, hashes, ctx.now), said)
    return api.Requested(asked=len(wanted), answered=sum(one is not None for one in found))


def _remotes(running: Running, kind: api.Kind) -> list[api.Remote]:
    scenarios = [one for one in (running.live, *running.shadows) if one is not None]
    remotes = [one.content.remote for one in scenarios if one.content.remote is not None]
    return [one for one in remotes if kind in one.kinds]


async def _asked(remote: api.Remote, ask: api.ScoreAsk, ctx: Context) -> api.Score | None:
    service = ctx.resource(api.Scorers, NONE).by_name.get(remote.name)
    if service is None:
        log.warning("a scenario of %s names the service %r, which is not connected", ctx.front_end, remote.name)
        return None
    try:
        async with asyncio.timeout(remote.deadline_ms / 1000):
            said = await service.score(key=f"{ctx.call_id}/{remote.name}", ask=ask)
        check(said, "$")
    except Exception as wrong:  # whatever is wrong with a service, a shop goes on by what it has declared
        log.warning("no score of %s within %s ms: %r", remote.name, remote.deadline_ms, wrong)
        return None
    return said


async def reasons(
    content: api.Content, kind: api.Kind, hashes: Sequence[bytes], ctx: Context
) -> tuple[api.Reason, ...]:
    """Return what the service that a version names has said, as reasons; what is declared where it has said nothing."""
    remote = content.remote
    if remote is None or kind not in remote.kinds:
        return ()
    by, since = f"remote:{remote.name}", ctx.now - timedelta(seconds=remote.valid_s)
    said = await storage.said(ctx.session, ctx.front_end, kind, remote.name, hashes, since)
    if said is None:
        return (api.Reason(code="not-scored", score=remote.otherwise, by=by),)
    why = (api.Reason(code=one, by=by) for one in dict.fromkeys(said.reasons))
    return (api.Reason(code="scored", score=said.score, by=by), *why)
