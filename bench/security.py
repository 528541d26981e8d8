"""What security costs: an order over HTTP with the audit log and without, judged and not; policies, sign-ins, tokens.

Two `isthmus serve` processes, each on a database of its own in one PostgreSQL with fsync and synchronous commit on: one
as it ships, one that leaves the pack out, or that has no scenario. 16 connections that are kept alive buy baskets of 5
of 2,000 goods from each, in turns, so that what else the machine does disturbs both. Sealing, signing and publishing go
on meanwhile and count.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import asyncpg
import httpx

from bench import _shop as shop
from bench._clock import Clock, Spent
from bench.orders import CLIENTS, GOODS, LINES, UNITS, Buying, _over_http
from bench.paid import Meter, Took
from isthmus.flows.checkout import api as checkout
from isthmus.packs.audit.service.publish import HeadsFile, read_lines
from isthmus.packs.audit.service.seal import Sealer
from isthmus.packs.identity.service.passwords import Passwords
from isthmus.packs.policy.service.policies import DEFAULT, Policies
from isthmus.packs.risk import api as risk
from isthmus.store import Database

Row = dict[str, Any]

TURNS = 3  # in one round
SEALED = (1, 50, 500)  # entries at once
SEALS = 50  # processors' time is counted in hundredths of a second
SAID = 1_200  # bytes of an entry beside what it is searched by: some orders of five lines
_ENTRIES = """
    insert into audit.pending (front_end, content)
    select 'north', json_build_object('call', lpad(to_hex($2::bigint + n), 32, '0')::uuid, 'at', now(),
        'front_end', 'north', 'capability', 'checkout.place-order', 'outcome', 'done', 'client', 'bench',
        'ask', json_build_object('said', repeat('x', $3::int)))::text
    from generate_series(1, $1::int) as n"""
_SEALED = "select max(size) from audit.head where not exists (select from audit.pending)"
SEALED_WITHIN_S = 10
CHECKS = 20_000
SIGN_INS = 20
TOKENS = 20  # of each client in a round
AUDIT_AIM = 0.95  # at most 5 % of an order's rate
RISK_AIM = 0.75  # three statements more, and locks of what the buyer is known by
SIGN_INS_AIM = 2.0  # a shift of a hundred comes within a minute
TOKENS_AIM = 20.0  # 12,000 services renew theirs every ten minutes
RULES = (
    risk.Rule(code="often", kinds=("order",), when="seen.person.h1 > 1000000", outcome="reject"),
    risk.Rule(code="listed", kinds=("order",), when="'blocked' in lists.person", outcome="reject"),
    risk.Rule(code="large", kinds=("order",), when="amount > 100000000 && about.is_guest", score=50),
)


def rows(rounds: int) -> list[Row]:
    """Measure everything and return the table's rows."""
    return [
        *shop.run(_audit(rounds)),
        *shop.run(_sealing(rounds)),
        shop.run(_check(rounds)),
        *shop.run(_risk(rounds)),
        shop.run(_passwords(rounds)),
        shop.run(_tokens(rounds)),
    ]


async def _check(rounds: int) -> Row:
    """Time what a call pays for its policies, once its decision is made."""
    policies = Policies(shop.PACKS, [(DEFAULT.stem, DEFAULT.read_text())])
    capability = policies.capabilities[checkout.place_order.name]
    took_us: list[float] = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        for _ in range(CHECKS):
            await policies.check(shop.CALLER, capability, {})
        took_us.append(1e6 * (time.perf_counter() - began) / CHECKS)
    value = statistics.median(took_us[1:])
    return {
        "name": "policies of a call, decided before",
        "value": value,
        "unit": "us",
        "against": "what a call may pay for them: 5 us",
        "ratio": value / 5,
        "aim": "<= 1 x",
        "met": value <= 5,
    }


async def _audit(rounds: int) -> list[Row]:
    found = await _side_by_side(rounds, (("audit_with", (), False), ("audit_without", ("audit",), False)))
    return _shares("with the audit log", "left out", found, AUDIT_AIM)


async def _sealing(rounds: int) -> list[Row]:
    """Measure what half a second's entries take to be sealed and published, and what a single one does."""
    async with shop.database("sealing") as url:
        async with shop.running(url):
            pass  # migrated, and nobody seals any more
        folder = shop.FOLDER / "sealing"
        shutil.rmtree(folder, ignore_errors=True)
        async with await Database.open(url) as database:
            sealer = Sealer(database, key=folder / "key.pem", receiver=HeadsFile(folder / "heads.jsonl"))
            return [await _sealed(url, sealer, entries, rounds) for entries in SEALED]


async def _sealed(url: str, sealer: Sealer, entries: int, rounds: int) -> Row:
    connection = await asyncpg.connect(url)
    spent: list[Spent] = []
    for turn in range(rounds + 1):
        own, database = 0.0, 0.0
        for part in range(SEALS):
            at = (turn * SEALS + part) * entries
            await connection.execute(_ENTRIES, entries, at, SAID)
            clock = await Clock.started(url)
            began = time.process_time()
            await sealer.seal()
            own += time.process_time() - began
            database += (await clock.stopped()).database
        spent.append(Spent(0.0, 1e6 * own / SEALS, 1e6 * database / SEALS))
    await connection.close()
    own, database = (statistics.median(getattr(one, what) for one in spent[1:]) for what in ("own", "database"))
    return {
        "name": f"{entries} entr{'ies' if entries > 1 else 'y'} of the audit log sealed and published",
        "value": own + database,
        "unit": "us of processors",
        "against": f"this process {own:,.0f} us, PostgreSQL {database:,.0f} us",
        "ratio": None,
        "aim": "reported",
        "met": None,
    }


async def _risk(rounds: int) -> list[Row]:
    found = await _side_by_side(rounds, (("risk_judged", (), True), ("risk_plain", (), False)))
    return _shares(f"judged by {len(RULES)} rules", "not judged", found, RISK_AIM)


async def _side_by_side(rounds: int, wanted: Sequence[tuple[str, tuple[str, ...], bool]]) -> list[list[Took]]:
    """Return what turns of two servers took; each: its database, what it leaves out, whether its orders are judged."""
    async with AsyncExitStack() as stack:
        served: list[tuple[str, str, shop.Server]] = []
        audited: list[str] = []
        for name, leave_out, is_judged in wanted:
            url = await stack.enter_async_context(shop.database(name))
            key = await shop.stocked(url, GOODS, UNITS)
            if is_judged:
                await _judge(url)
            if "audit" not in leave_out:
                audited.append(url)
            served.append((url, key, await stack.enter_async_context(shop.serving(url, leave_out=leave_out))))
        sides: list[tuple[Meter, list[Buying]]] = []
        for (
            url,
            key,
            server,
        ) in served:  # once all are there: a server hangs up on who is silent while others are filled
            buyers = [await shop.Buyer.connect(server.port, key) for _ in range(CLIENTS)]
            for buyer in buyers:
                stack.callback(buyer.close)
            meter = await Meter.of(url, server.process)
            stack.push_async_callback(meter.close)
            sides.append((meter, _over_http(buyers)))
            await meter.turn(sides[-1][1])  # statements are prepared, caches are warm
            await shop.analyse(url)
        found = [[await meter.turn(buying) for meter, buying in sides] for _ in range(rounds * TURNS)]
        for url in audited:
            await _check_sealed(url)
        return found


async def _check_sealed(url: str) -> None:
    """Raise AssertionError where a server does not seal and publish what was bought: its figures would say nothing."""
    heads = shop.place(url) / ".isthmus" / "audit" / "heads.jsonl"
    connection = await asyncpg.connect(url)
    try:
        for _ in range(10 * SEALED_WITHIN_S):
            sealed = await connection.fetchval(_SEALED)
            if sealed and heads.is_file() and [line.size for line in read_lines(heads)][-1:] == [sealed]:
                return
            await asyncio.sleep(0.1)
    finally:
        await connection.close()
    raise AssertionError(f"entries of {url} are not sealed and published within {SEALED_WITHIN_S} s")


async def _judge(url: str) -> None:
    """Have rules judge the orders of the front end, that let all of them through."""
    async with shop.running(url) as one:
        call, now = one.platform.call, one.platform.clock()
        version = (await call(risk.put_scenario, risk.PutScenario(rules=RULES), shop.CALLER)).version
        since = now - timedelta(days=1)
        await call(risk.back_test, risk.BackTest(version=version, since=since, until=now), shop.CALLER)
        for state in ("shadow", "live"):
            await call(risk.run_scenario, risk.RunScenario(version=version, state=state), shop.CALLER)


async def _passwords(rounds: int) -> Row:
    """Time sign-ins by password: what argon2id lets through, as many at once as a server takes."""
    passwords = Passwords()
    kept = await passwords.hashed("correct horse battery")
    rates: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        right = await asyncio.gather(*(passwords.is_right(kept, "correct horse battery") for _ in range(SIGN_INS)))
        rates.append(SIGN_INS / (time.perf_counter() - began))
        assert all(right)
    return _rate("sign-ins by password: argon2id, two at a time", "sign-ins/s", statistics.median(rates), SIGN_INS_AIM)


async def _tokens(rounds: int) -> Row:
    """Time tokens by client credentials, over HTTP from one server."""
    async with shop.database("tokens") as url:
        key = await shop.stocked(url, GOODS[:1], UNITS)
        async with shop.serving(url) as server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            rates: list[float] = []
            for _ in range(rounds + 1):
                began = time.perf_counter()
                await asyncio.gather(*(_token(client, key) for _ in range(CLIENTS)))
                rates.append(CLIENTS * TOKENS / (time.perf_counter() - began))
    return _rate(
        f"tokens by client credentials, {CLIENTS} clients", "tokens/s", statistics.median(rates[1:]), TOKENS_AIM
    )


async def _token(client: httpx.AsyncClient, key: str) -> None:
    for _ in range(TOKENS):
        auth = (f"{shop.FRONT_END}/bench", key)
        answered = await client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=auth)
        answered.raise_for_status()


def _rate(name: str, unit: str, value: float, aim: float) -> Row:
    return {
        "name": name, "value": value, "unit": unit, "against": f"what staff and agents of a group need: {aim:g}",
        "ratio": value / aim, "aim": ">= 1 x", "met": value >= aim,
    }  # fmt: skip


def _shares(what: str, other: str, found: list[list[Took]], aim: float) -> list[Row]:
    rates = [(one.rate, plain.rate) for one, plain in found]
    used = [(1 / _processor_ms(one), 1 / _processor_ms(plain)) for one, plain in found]
    return [
        _row(f"orders a second {what}", other, "orders/s", rates, aim),
        _row(f"orders by processor time {what}", other, "orders/ms", used, aim),
    ]


def _processor_ms(took: Took) -> float:
    return took.server_ms + took.postgres_ms


def _row(what: str, other: str, unit: str, found: list[tuple[float, float]], aim: float) -> Row:
    value, plain = (statistics.median(side) for side in zip(*found, strict=True))
    ratio = statistics.median(one / beside for one, beside in found)
    return {
        "name": f"{what}: {LINES} lines over HTTP, {CLIENTS} clients, one process",
        "value": value,
        "unit": unit,
        "against": f"{other}: {plain:,.2f} {unit}",
        "ratio": ratio,
        "aim": f">= {aim:g} x",
        "met": ratio >= aim,
    }
