"""Rows of `reconciliation`. The database matches: a file of a million lines is one statement for each step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from isthmus.kernel import ports
from isthmus.values import Money, money

from . import api, rules

_EXPECT: Final = """
    insert into reconciliation.expected (front_end, provider, key, reference, kind, currency, amount_minor, fee_minor,
        day)
    select $1, provider, key, reference, kind, currency, amount, fee, coalesce(day, $2)
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::date[])
        as given (provider, key, reference, kind, currency, amount, fee, day)
    on conflict (front_end, provider, key) do nothing"""
# One amount, as of each payment, is written plainly: a column for each is a function scan the less.
_EXPECT_ONE: Final = """
    insert into reconciliation.expected (front_end, provider, key, reference, kind, currency, amount_minor, fee_minor,
        day)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    on conflict (front_end, provider, key) do nothing"""
_FILE: Final = """
    insert into reconciliation.file (front_end, file_id, provider, name, digest, lines, first_day, last_day,
        imported_at, imported_by)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (front_end, provider, digest) do nothing"""
# With what each line matches by its key. One that says again what a line said before, here or in another file, matches
# nothing.
_LINES: Final = """
    insert into reconciliation.line (front_end, file_id, line, provider, reference, kind, currency, amount_minor,
        fee_minor, day, expected_id)
    select $1, $2, given.line, $3, given.reference, given.kind, given.currency, amount, given.fee, given.day,
        case when e.amount_minor = amount and (place > 1 or exists (
            select from reconciliation.line o where o.front_end = $1 and o.provider = $3 and o.reference <> ''
                and o.reference = given.reference and o.kind = given.kind and o.amount_minor = amount))
            then null else e.expected_id end
    from (
        select *, row_number() over (partition by reference, kind, amount order by line) as place
        from unnest($4::int[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::date[])
            as lines (line, reference, kind, currency, amount, fee, day)) as given
    left join reconciliation.expected e on given.reference <> '' and e.front_end = $1 and e.provider = $3
        and e.key = given.reference"""
_EXPECT_PAYOUTS: Final = """
    insert into reconciliation.expected (front_end, provider, key, reference, kind, currency, amount_minor, fee_minor,
        day)
    select $1, $2, key, key, 'payout', currency, amount, null, day
    from unnest($3::text[], $4::text[], $5::bigint[], $6::date[]) as given (key, currency, amount, day)
    on conflict (front_end, provider, key) do nothing returning key"""
# Lines that are matched and had no fee expected, and those that are not and come the first time: money that was kept.
_FEES: Final = """
    select currency, sum(fee_minor)::bigint as minor from reconciliation.line l
    where front_end = $1 and file_id = $2 and fee_minor <> 0 and (
        exists (select from reconciliation.expected e where e.front_end = $1 and e.expected_id = l.expected_id
            and e.fee_minor is null and e.currency = l.currency)
        or l.expected_id is null and exists (select from reconciliation.difference d where d.front_end = $1
            and d.file_id = $2 and d.line = l.line and d.kind = 'missing-here'))
    group by currency having sum(fee_minor) <> 0 order by currency"""
_FILES: Final = """
    select f.*, (select count(*) from reconciliation.line l where l.front_end = $1 and l.file_id = f.file_id
        and expected_id is not null) as matched
    from reconciliation.file f where front_end = $1 and ($2::uuid is null or file_id = $2)
    order by imported_at desc, file_id desc limit $3"""
_DAY: Final = """coalesce(
    (select day from reconciliation.line where line.front_end = difference.front_end
        and line.file_id = difference.file_id and line.line = difference.line),
    (select day from reconciliation.expected where expected.front_end = difference.front_end
        and expected.expected_id = difference.expected_id)) as day"""
_LIST: Final = f"""
    select *, {_DAY} from reconciliation.difference
    where front_end = $1 and ($2::text is null or kind = $2) and ($3::text is null or provider = $3)
        and ($4::text is null or owner = $4) and (not $5 or resolved_at is null)
        and difference_id > $6 order by difference_id limit $7"""
PART = 50_000  # lines that go to the database at once


async def expect(session: ports.Session, front_end: str, items: Sequence[api.ExpectedAmount], today: date) -> None:
    rows = [
        (
            one.provider,
            one.key,
            one.reference,
            one.kind,
            one.amount.currency,
            one.amount.minor,
            one.fee.minor if one.fee else None,
            one.day,
        )
        for one in items
    ]
    if len(rows) == 1:
        *known, day = rows[0]
        await session.later(_EXPECT_ONE, front_end, *known, day or today)
    elif rows:
        await session.later(_EXPECT, front_end, today, *[list(column) for column in zip(*rows, strict=True)])


async def expect_payouts(
    session: ports.Session, front_end: str, provider: str, payouts: Sequence[api.PayoutReported]
) -> set[str]:
    """Expect what a file says was paid out; return those that nobody knew of."""
    columns = (
        [one.reference for one in payouts],
        [one.amount.currency for one in payouts],
        [-one.amount.minor for one in payouts],
        [one.day for one in payouts],
    )
    rows = await session.fetch(_EXPECT_PAYOUTS, front_end, provider, *columns) if payouts else ()
    return {row["key"] for row in rows}


async def fees(session: ports.Session, front_end: str, file_id: UUID) -> tuple[Money, ...]:
    """Return what a file says was kept of lines whose fee nobody knew, by currency."""
    rows = await session.fetch(_FEES, front_end, file_id)
    return tuple(money(row["minor"], row["currency"]) for row in rows)


async def known_file(session: ports.Session, front_end: str, provider: str, digest: UUID) -> ports.Row | None:
    return await session.fetch_row(
        "select file_id, name from reconciliation.file where front_end = $1 and provider = $2 and digest = $3",
        front_end,
        provider,
        digest,
    )


async def take_time(session: ports.Session) -> None:
    """Let each statement of this transaction last as long as the call may: a million lines take more than an ask."""
    await session.fetch_value("select reconciliation.take_time($1)", api.IMPORT_LIMIT_MS)


async def write_file(
    session: ports.Session,
    front_end: str,
    file_id: UUID,
    ask: api.ImportFile,
    digest: UUID,
    lines: Sequence[rules.Line],
    made: tuple[datetime, str],
) -> bool:
    """Write a file with its lines, matched by key; False where somebody else has just written the same."""
    await session.fetch_value("select reconciliation.wait_turn($1)", front_end)
    days = [line.day for line in lines]
    span = (min(days, default=None), max(days, default=None))
    row = (front_end, file_id, ask.provider, ask.name, digest, len(lines), *span, *made)
    if await session.execute(_FILE, *row) != "INSERT 0 1":
        return False
    for start in range(0, len(lines), PART):
        part = lines[start : start + PART]
        await session.execute(
            _LINES,
            front_end,
            file_id,
            ask.provider,
            list(range(start + 1, start + len(part) + 1)),
            [one.reference for one in part],
            [one.kind for one in part],
            [one.currency for one in part],
            [one.amount for one in part],
            [one.fee for one in part],
            [one.day for one in part],
        )
    return True


async def match(session: ports.Session, front_end: str, file_id: UUID, days: int, now: datetime) -> None:
    """Match a file in steps: each is a statement, which has a limit of its own."""
    await session.fetch_value("select reconciliation.note_duplicates($1, $2, $3)", front_end, file_id, now)
    await session.fetch_value("select reconciliation.match_amounts($1, $2, $3)", front_end, file_id, days)
    await session.fetch_value("select reconciliation.compare($1, $2, $3, $4)", front_end, file_id, days, now)
    await session.fetch_value("select reconciliation.note_missing($1, $2, $3, $4)", front_end, file_id, days, now)


async def files(
    session: ports.Session, front_end: str, limit: int, file_id: UUID | None = None
) -> list[api.ImportedFile]:
    return [
        api.ImportedFile(
            file_id=row["file_id"],
            provider=row["provider"],
            name=row["name"],
            lines=row["lines"],
            matched=row["matched"],
            first_day=row["first_day"],
            last_day=row["last_day"],
            imported_at=row["imported_at"],
            imported_by=row["imported_by"],
        )
        for row in await session.fetch(_FILES, front_end, file_id, limit)
    ]


async def differences(
    session: ports.Session, front_end: str, ask: api.ListDifferences, now: datetime
) -> list[api.Difference]:
    """Return differences, the oldest first, one more than was asked for where there are more."""
    wanted = (ask.kind, ask.provider, ask.owner, ask.is_open, ask.cursor or 0, ask.limit + 1)
    return [_difference(row, now) for row in await session.fetch(_LIST, front_end, *wanted)]


async def lock(session: ports.Session, front_end: str, difference_id: int, now: datetime) -> api.Difference | None:
    row = await session.fetch_row(
        f"""select *, {_DAY} from reconciliation.difference where front_end = $1 and difference_id = $2
           for no key update""",
        front_end,
        difference_id,
    )
    return None if row is None else _difference(row, now)


async def assign(session: ports.Session, front_end: str, difference_id: int, owner: str) -> None:
    await session.execute(
        "update reconciliation.difference set owner = $3 where front_end = $1 and difference_id = $2",
        front_end,
        difference_id,
        owner,
    )


async def resolve(session: ports.Session, front_end: str, ask: api.Resolve, now: datetime, by: str) -> None:
    await session.execute(
        """update reconciliation.difference set resolved_at = $3, resolved_by = $4, account = $5, note = $6
           where front_end = $1 and difference_id = $2""",
        front_end,
        ask.difference_id,
        now,
        by,
        ask.account,
        ask.note,
    )


def _difference(row: ports.Row, now: datetime) -> api.Difference:
    return api.Difference(
        difference_id=row["difference_id"],
        provider=row["provider"],
        kind=row["kind"],
        reference=row["reference"],
        amount=money(row["minor"], row["currency"]),
        file_id=row["file_id"],
        line=row["line"],
        opened_at=row["opened_at"],
        age_days=max(0, (now - row["opened_at"]).days),
        owner=row["owner"],
        resolved_at=row["resolved_at"],
        resolved_by=row["resolved_by"] or "",
        account=row["account"],
        note=row["note"],
        day=row["day"],
    )
