"""Entries: booking, ending what is pending, undoing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from isthmus.kernel import Context, errors, implements, ports
from isthmus.store import NOT_BATCHABLE, GroupCommit, NotBatchable
from isthmus.values import cursor_at, place_at

from .. import api, rules
from ..storage import entries as storage

ZONE = "time_zone"  # the setting of a front end that says when its day ends; UTC where it has none
SHARED_MAX = 10  # entries of an ask that is booked along with others; a longer one fills a transaction of its own

_Outcome = api.Posted | errors.Refusal | NotBatchable


async def _post_together(asks: Sequence[tuple[api.Post, Context]], session: ports.Session) -> list[_Outcome]:
    """Book what several ask in one statement. Each goes alone where the books refuse any of it, or let it wait."""
    first = asks[0][1]
    outcomes: list[_Outcome] = [NOT_BATCHABLE] * len(asks)
    sound: list[tuple[int, api.Post, list[storage.Row]]] = []
    for at, (ask, ctx) in enumerate(asks):
        if ctx.caller.client != first.caller.client:
            continue  # an entry says who booked it, and a statement says one
        try:
            sound.append((at, ask, _rows(ask.entries, ctx)))
        except errors.Refusal as wrong:
            outcomes[at] = wrong
    if not sound:
        return outcomes
    rows = [row for _, _, own in sound for row in own]
    drafts = [draft for _, ask, _ in sound for draft in ask.entries]
    at = max(ctx.now for _, ctx in asks)
    given = storage.columns(first.front_end, rows, [one.legs for one in drafts], at, first.caller.client)
    try:
        written = await storage.write(session, given, is_shared=True)
    except errors.Unavailable:
        return [NOT_BATCHABLE] * len(asks)  # an account with a limit is held by somebody, who may take long
    if written[0].refused:
        return [NOT_BATCHABLE] * len(asks)
    left = iter(written)
    for place, ask, _ in sound:
        outcomes[place] = _posted(ask.entries, [next(left) for _ in ask.entries])
    return outcomes


def _shared(ask: api.Post) -> object:
    return "" if len(ask.entries) <= SHARED_MAX else None


@implements(api.post, together=GroupCommit(_shared, _post_together))
async def post(ask: api.Post, ctx: Context) -> api.Posted:
    return _posted(ask.entries, await _booked(ask.entries, ctx))


def _posted(drafts: Sequence[api.EntryDraft], written: Sequence[storage.Written]) -> api.Posted:
    return api.Posted(
        items=tuple(
            api.PostedEntry(
                entry_id=one.entry_id or UUID(int=0),
                reference=draft.reference,
                state=api.EntryState(one.state),
                value_date=one.value_date,
                is_news=one.is_news,
            )
            for draft, one in zip(drafts, written, strict=True)
        )
    )


@implements(api.record)
async def record(ask: api.Post, ctx: Context) -> api.Posted:
    rows = _rows(ask.entries, ctx)
    if len(rows) == 1 and not ask.entries[0].is_pending:  # most of what is booked
        legs, client = ask.entries[0].legs, ctx.caller.client
        await storage.record_later(ctx.session, ctx.front_end, rows[0], legs, ctx.now, client)
    else:
        await storage.write_later(ctx.session, _given(ask.entries, rows, ctx))
    return api.Posted(
        items=tuple(
            api.PostedEntry(
                entry_id=row.entry_id,
                reference=row.reference,
                state=api.EntryState(row.state),
                value_date=row.value_date,
                is_news=True,
            )
            for row in rows
        )
    )


def day_of(ctx: Context) -> date:
    """Return the day that the call is on, where the front end is."""
    zone = ctx.plan.settings.get(ZONE, "UTC")
    return ctx.now.date() if zone == "UTC" else ctx.now.astimezone(ZoneInfo(zone)).date()


def _given(drafts: Sequence[api.EntryDraft], rows: Sequence[storage.Row], ctx: Context) -> tuple[object, ...]:
    return storage.columns(ctx.front_end, rows, [draft.legs for draft in drafts], ctx.now, ctx.caller.client)


def _rows(drafts: Sequence[api.EntryDraft], ctx: Context, reverses: UUID | None = None) -> list[storage.Row]:
    """Return drafts as they are written; entries that come together are linked to the first. Raises what is wrong."""
    today = day_of(ctx)
    ids = [ctx.new_id() for _ in drafts]
    rows: list[storage.Row] = []
    for at, draft in enumerate(drafts):
        if wrong := api.fault_of(draft.legs, f"$.entries[{at}].legs"):
            raise wrong
        rows.append(
            storage.Row(
                entry_id=ids[at],
                reference=draft.reference,
                kind=draft.kind,
                state="pending" if draft.is_pending else "posted",
                value_date=draft.value_date or today,
                moves=draft.value_date is None or draft.when_closed == "next-open-day",
                expires_at=draft.expires_at if draft.is_pending else None,
                subject=draft.subject,
                memo=draft.memo,
                metadata=draft.metadata,
                legs=len(draft.legs),
                reverses=reverses,
                linked_to=ids[0] if len(ids) > 1 else None,
                content=rules.content(draft, reverses),
            )
        )
    return rows


async def _booked(
    drafts: Sequence[api.EntryDraft], ctx: Context, reverses: UUID | None = None
) -> list[storage.Written]:
    """Book entries. Raises what the books refuse, and then nothing of it stays."""
    written = await storage.write(ctx.session, _given(drafts, _rows(drafts, ctx, reverses), ctx))
    if not (first := written[0]).refused:
        return written
    if first.refused == "conflict":
        raise api.ReferenceUsed(reference=first.detail)
    if first.refused == "reversed":
        raise api.AlreadyReversed(reference=first.detail)
    if first.refused == "closed":
        raise api.PeriodClosed(through=first.detail)
    if first.refused == "bound":
        raise api.BoundExceeded(what=first.detail)
    raise errors.Fault(f"the books refuse {drafts[0].reference!r}: {first.refused}", remedy="report it")


@implements(api.post_pending)
async def post_pending(ask: api.EndPending, ctx: Context) -> api.Entry:
    return await _ended(ask.reference, "posted", ctx)


@implements(api.void_pending)
async def void_pending(ask: api.EndPending, ctx: Context) -> api.Entry:
    return await _ended(ask.reference, "voided", ctx)


async def _ended(reference: str, wanted: str, ctx: Context) -> api.Entry:
    entry = await _found(reference, ctx)
    if ended := await storage.finish(ctx.session, ctx.front_end, entry.entry_id, wanted, ctx.now):
        raise api.AlreadyEnded(reference=reference, state=ended, wanted=wanted)
    if entry.state is not api.EntryState.PENDING and entry.ended_at is None:
        raise api.AlreadyEnded(reference=reference, state=entry.state, wanted=wanted)
    return await _found(reference, ctx)


@implements(api.expire_pending)
async def expire_pending(ask: api.ExpirePending, ctx: Context) -> api.ExpiredEntries:
    due = await storage.overdue(ctx.session, ctx.front_end, ctx.now, ask.limit)
    for entry_id in due:
        await storage.finish(ctx.session, ctx.front_end, entry_id, "expired", ctx.now)
    return api.ExpiredEntries(entries=len(due))


@implements(api.reverse)
async def reverse(ask: api.Reverse, ctx: Context) -> api.Entry:
    entry = await _found(ask.reverses, ctx, path="$.reverses")
    if entry.state is not api.EntryState.POSTED:
        raise api.NotReversible(reference=ask.reverses, state=entry.state)
    draft = api.EntryDraft(
        reference=ask.reference,
        kind=entry.kind,
        legs=rules.undone(entry.legs),
        value_date=ask.value_date,
        when_closed=ask.when_closed,
        subject=entry.subject,
        memo=ask.memo,
        metadata=entry.metadata,
    )
    await _booked([draft], ctx, entry.entry_id)
    return await _found(ask.reference, ctx)


@implements(api.exchange)
async def exchange(ask: api.Exchange, ctx: Context) -> api.Entry:
    if ask.sold.currency == ask.currency:
        raise api.WrongExchange(reason=f"{ask.sold} is in {ask.currency} already", path="$.currency")
    if (found := rules.exchanged(ask.sold, ask.currency, ask.rate)) is None:
        raise api.WrongExchange(reason=f"{ask.sold} at {ask.rate} is none or too much of {ask.currency}", path="$.rate")
    draft = rules.exchange_draft(ask, found)
    await _booked([draft], ctx)
    return await _found(ask.reference, ctx)


@implements(api.get_entry)
async def get_entry(ask: api.GetEntry, ctx: Context) -> api.Entry:
    return await _found(ask.reference, ctx)


@implements(api.list_entries)
async def list_entries(ask: api.ListEntries, ctx: Context) -> api.EntryPage:
    before = place_at(ask.cursor, tuple[int, UUID], api.BadCursor) if ask.cursor else None
    found = await storage.page(ctx.session, ctx.front_end, ask, before)
    items = await storage.by_ids(ctx.session, ctx.front_end, [entry_id for _, entry_id in found[: ask.limit]])
    cursor = cursor_at(found[ask.limit - 1]) if len(found) > ask.limit else None
    return api.EntryPage(items=tuple(items), next_cursor=cursor)


async def _found(reference: str, ctx: Context, path: str = "$.reference") -> api.Entry:
    found = await storage.by_reference(ctx.session, ctx.front_end, reference)
    if found is None:
        raise api.UnknownEntry(reference=reference, path=path)
    return found
