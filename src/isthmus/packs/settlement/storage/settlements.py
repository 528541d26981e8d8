"""Rows of `settlement.settlement` and `settlement.payout_file`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import Money, money

from .. import api, rules

# Settlements of a front end are prepared one at a time: what is carried over has an order.
_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended('settlement.draw-up/' || $1, 0))"
# $6: the zone in which days end, as those of the books do.
_IS_DUE: Final = """
    i.front_end = $1 and i.settlement_id is null
        and (i.happened_at at time zone $6::text)::date
            + case when i.kind = 'sale' then coalesce(p.hold_back_days, 14) else 0 end <= $2::date"""
_CANDIDATES: Final = f"""
    select payee, currency from (
        select distinct i.payee, i.currency from settlement.item i
        left join settlement.payee p on p.front_end = $1 and p.payee = i.payee and p.currency = i.currency
        where {_IS_DUE}
        union
        select s.payee, s.currency from settlement.settlement s
        join settlement.payee p on p.front_end = $1 and p.payee = s.payee and p.currency = s.currency
        where s.front_end = $1 and s.carried_to is null and s.carried_minor > 0 and s.state <> 'cancelled'
            and p.is_leaving) as found
    where ($3::text is null or payee = $3) and ($4::text is null or currency = $4)
    order by payee, currency limit $5"""
# What is taken is what is summed: both are of this statement.
_TAKE: Final = f"""
    with taken as (
        update settlement.item i set settlement_id = given.settlement_id
        from unnest($3::uuid[], $4::text[], $5::text[]) as given (settlement_id, payee, currency)
        left join settlement.payee p on p.front_end = $1 and p.payee = given.payee and p.currency = given.currency
        where i.payee = given.payee and i.currency = given.currency and {_IS_DUE}
        returning i.settlement_id, i.amount_minor)
    select settlement_id, count(*) as items, coalesce(sum(amount_minor) filter (where amount_minor > 0), 0)::bigint
        as credit, coalesce(sum(amount_minor) filter (where amount_minor < 0), 0)::bigint as debit
    from taken group by settlement_id"""
_CARRY: Final = """
    update settlement.settlement s set carried_to = given.settlement_id
    from unnest($2::uuid[], $3::text[], $4::text[]) as given (settlement_id, payee, currency)
    where s.front_end = $1 and s.payee = given.payee and s.currency = given.currency and s.carried_to is null
        and s.carried_minor <> 0 and s.state <> 'cancelled'
    returning given.settlement_id, s.carried_minor"""
_WRITE: Final = """
    insert into settlement.settlement (front_end, settlement_id, payee, currency, cut_off, state, items, credit_minor,
        debit_minor, carried_in_minor, fee_minor, payout_minor, carried_minor, prepared_at, prepared_by)
    select $1, settlement_id, payee, currency, $2, 'prepared', items, credit, debit, carried_in, fee, payout, carried,
        $3, $4
    from unnest($5::uuid[], $6::text[], $7::text[], $8::int[], $9::bigint[], $10::bigint[], $11::bigint[],
        $12::bigint[], $13::bigint[], $14::bigint[]) as given (settlement_id, payee, currency, items, credit, debit,
        carried_in, fee, payout, carried)"""
_LIST: Final = """
    select * from settlement.settlement
    where front_end = $1 and ($2::text is null or state = $2) and ($3::text is null or payee = $3)
        and ($4::uuid is null or settlement_id < $4)
    order by settlement_id desc limit $5"""
_TO_PAY: Final = """
    select s.settlement_id, s.payout_minor, coalesce(nullif(p.name, ''), s.payee) as name, coalesce(p.iban, '') as iban,
        coalesce(p.bic, '') as bic, s.payee
    from settlement.settlement s left join settlement.payee p using (front_end, payee, currency)
    where s.front_end = $1 and s.currency = $2 and s.state = 'approved' and s.payout_minor > 0
    order by s.settlement_id limit $3 for no key update of s"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What is settled with one payee."""

    settlement_id: UUID
    payee: str
    currency: str
    items: int = 0
    credit: int = 0
    debit: int = 0
    carried_in: int = 0

    @property
    def due(self) -> int:
        return self.carried_in + self.credit + self.debit


async def candidates(
    session: ports.Session, front_end: str, ask: api.DrawUp, limit: int, zone: str
) -> list[tuple[str, str]]:
    """Return who is due something; nobody else prepares a settlement until this transaction ends."""
    await session.execute(_LOCK, front_end)
    rows = await session.fetch(_CANDIDATES, front_end, ask.cut_off, ask.payee, ask.currency, limit, zone)
    return [(row["payee"], row["currency"]) for row in rows]


async def take(
    session: ports.Session, front_end: str, cut_off: date, found: Sequence[tuple[UUID, str, str]], zone: str
) -> list[Sum]:
    """Settle what is due, and what was carried; return the sums."""
    columns = [list(column) for column in zip(*found, strict=True)]
    rows = await session.fetch(_TAKE, front_end, cut_off, *columns, zone)
    taken = {row["settlement_id"]: row for row in rows}
    carried = {row["settlement_id"]: row["carried_minor"] for row in await session.fetch(_CARRY, front_end, *columns)}
    return [
        Sum(
            settlement_id=settlement_id,
            payee=payee,
            currency=currency,
            items=taken[settlement_id]["items"] if settlement_id in taken else 0,
            credit=taken[settlement_id]["credit"] if settlement_id in taken else 0,
            debit=taken[settlement_id]["debit"] if settlement_id in taken else 0,
            carried_in=carried.get(settlement_id, 0),
        )
        for settlement_id, payee, currency in found
    ]


async def write(
    session: ports.Session,
    front_end: str,
    cut_off: date,
    prepared: Sequence[tuple[Sum, rules.Paid]],
    made: tuple[datetime, str],
) -> None:
    await session.execute(
        _WRITE,
        front_end,
        cut_off,
        *made,
        [one.settlement_id for one, _ in prepared],
        [one.payee for one, _ in prepared],
        [one.currency for one, _ in prepared],
        [one.items for one, _ in prepared],
        [one.credit for one, _ in prepared],
        [one.debit for one, _ in prepared],
        [one.carried_in for one, _ in prepared],
        [paid.fee for _, paid in prepared],
        [paid.payout for _, paid in prepared],
        [paid.carried for _, paid in prepared],
    )


async def find(
    session: ports.Session, front_end: str, settlement_id: UUID, *, is_locked: bool = False
) -> api.Settlement | None:
    sql = "select * from settlement.settlement where front_end = $1 and settlement_id = $2"
    row = await session.fetch_row(f"{sql} for no key update" if is_locked else sql, front_end, settlement_id)
    return None if row is None else _settlement(row)


async def page(
    session: ports.Session, front_end: str, ask: api.ListSettlements, before: UUID | None
) -> list[api.Settlement]:
    """Return settlements, the latest first, one more than was asked for where there are more."""
    rows = await session.fetch(_LIST, front_end, ask.state, ask.payee, before, ask.limit + 1)
    return [_settlement(row) for row in rows]


async def by_ids(session: ports.Session, front_end: str, ids: Sequence[UUID]) -> list[api.Settlement]:
    rows = await session.fetch(
        """select * from settlement.settlement where front_end = $1 and settlement_id = any ($2)
           order by payee, currency""",
        front_end,
        list(ids),
    )
    return [_settlement(row) for row in rows]


async def move(
    session: ports.Session, front_end: str, settlement_id: UUID, state: str, *, by: str | None = None, note: str = ""
) -> None:
    await session.execute(
        """update settlement.settlement set state = $3, approved_by = coalesce(approved_by, $4), note = $5
           where front_end = $1 and settlement_id = $2""",
        front_end,
        settlement_id,
        state,
        by,
        note,
    )


async def release(session: ports.Session, front_end: str, settlement_id: UUID) -> None:
    """Open again what a cancelled settlement had settled, and what was carried into it."""
    await session.execute(
        "update settlement.item set settlement_id = null where front_end = $1 and settlement_id = $2",
        front_end,
        settlement_id,
    )
    await session.execute(
        "update settlement.settlement set carried_to = null where front_end = $1 and carried_to = $2",
        front_end,
        settlement_id,
    )


@dataclass(frozen=True, slots=True)
class ToPay:
    """A payout, and whose it is."""

    settlement_id: UUID
    payee: str
    account: rules.Account
    amount: Money


async def to_pay(session: ports.Session, front_end: str, currency: str, limit: int) -> list[ToPay]:
    """Lock what is approved and has a payout."""
    return [
        ToPay(
            row["settlement_id"],
            row["payee"],
            rules.Account(name=row["name"], iban=row["iban"], bic=row["bic"]),
            money(row["payout_minor"], currency),
        )
        for row in await session.fetch(_TO_PAY, front_end, currency, limit)
    ]


async def write_file(session: ports.Session, front_end: str, file: api.PayoutFile, ids: Sequence[UUID]) -> None:
    await session.execute(
        """insert into settlement.payout_file
               (front_end, file_id, currency, payouts, total_minor, content, made_at, made_by)
           values ($1, $2, $3, $4, $5, $6, $7, $8)""",
        front_end,
        file.file_id,
        file.total.currency,
        file.payouts,
        file.total.minor,
        file.content,
        file.made_at,
        file.made_by,
    )
    await session.execute(
        """update settlement.settlement set state = 'sent', file_id = $3
           where front_end = $1 and settlement_id = any ($2)""",
        front_end,
        list(ids),
        file.file_id,
    )


async def file(session: ports.Session, front_end: str, file_id: UUID) -> api.PayoutFile | None:
    row = await session.fetch_row(
        "select * from settlement.payout_file where front_end = $1 and file_id = $2", front_end, file_id
    )
    if row is None:
        return None
    return api.PayoutFile(
        file_id=row["file_id"],
        payouts=row["payouts"],
        total=money(row["total_minor"], row["currency"]),
        content=row["content"],
        made_at=row["made_at"],
        made_by=row["made_by"],
    )


def _settlement(row: ports.Row) -> api.Settlement:
    currency = row["currency"]
    return api.Settlement(
        settlement_id=row["settlement_id"],
        payee=row["payee"],
        cut_off=row["cut_off"],
        state=api.SettlementState(row["state"]),
        items=row["items"],
        credit=money(row["credit_minor"], currency),
        debit=money(row["debit_minor"], currency),
        carried_in=money(row["carried_in_minor"], currency),
        fee=money(row["fee_minor"], currency),
        payout=money(row["payout_minor"], currency),
        carried_out=money(row["carried_minor"], currency),
        carried_to=row["carried_to"],
        prepared_at=row["prepared_at"],
        prepared_by=row["prepared_by"],
        approved_by=row["approved_by"] or "",
        file_id=row["file_id"],
        note=row["note"],
    )
