"""Any sequence of bookings: what stands is the sum of what was booked, and no limit is passed on the way."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.kernel import errors
from isthmus.packs.ledger import api, rules
from isthmus.values import decimals, money

from .conftest import Office, draft, leg

FREE = ("assets:cash", "assets:bank", "income:sales")
LIMITED = ("liabilities:budget", "assets:petty")
LIMITS = {"liabilities:budget": (0, 500), "assets:petty": (-100, None)}
START = datetime(2026, 1, 30, 12, tzinfo=UTC)

amounts = st.integers(-200, 200).filter(bool)
pairs = st.tuples(st.sampled_from(FREE + LIMITED), st.sampled_from(FREE + LIMITED), amounts).filter(
    lambda one: one[0] != one[1]
)
entries = st.lists(pairs, min_size=1, max_size=3)
steps = st.one_of(
    st.tuples(st.just("post"), entries),
    st.tuples(st.just("hold"), entries),
    st.tuples(st.just("again"), st.integers(0, 9)),
    st.tuples(st.just("let count"), st.integers(0, 9)),
    st.tuples(st.just("let go"), st.integers(0, 9)),
    st.tuples(st.just("run out"), st.none()),
    st.tuples(st.just("reverse"), st.integers(0, 9)),
    st.tuples(st.just("fold"), st.none()),
)


class Model:
    """What the books should say, as a child would keep them."""

    def __init__(self) -> None:
        self.booked: dict[str, tuple[api.EntryLeg, ...]] = {}
        self.state: dict[str, str] = {}
        self.until: dict[str, datetime] = {}
        self.drafts: dict[str, api.EntryDraft] = {}
        self.reversed: set[str] = set()

    def legs_of(self, name: str, code: str) -> list[api.EntryLeg]:
        return [one for one in self.booked[name] if one.account == code]

    def reach(self, code: str, more: tuple[api.EntryLeg, ...], is_pending: bool) -> tuple[int, int]:
        """Return the least and the most that an account may come to in its natural direction."""
        posted = sum(
            one.amount.minor for name in self.booked if self.state[name] == "posted" for one in self.legs_of(name, code)
        )
        held = [
            one.amount.minor
            for name in self.booked
            if self.state[name] == "pending"
            for one in self.legs_of(name, code)
        ]
        new = [one.amount.minor for one in more if one.account == code]
        if is_pending:
            held += new
        else:
            posted += sum(new)
        low, high = posted + sum(one for one in held if one < 0), posted + sum(one for one in held if one > 0)
        return (low, high) if code.startswith("assets") else (-high, -low)

    def fits(self, legs: tuple[api.EntryLeg, ...], is_pending: bool) -> bool:
        for code, (least, greatest) in LIMITS.items():
            if not any(one.account == code for one in legs):
                continue
            low, high = self.reach(code, legs, is_pending)
            if low < least or (greatest is not None and high > greatest):
                return False
        return True

    def balances(self) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for name, legs in self.booked.items():
            for one in legs if self.state[name] == "posted" else ():
                found[one.account] += one.amount.minor
        return found

    def named(self, at: int, *states: str) -> str | None:
        names = [name for name in self.booked if self.state[name] in states]
        return names[at % len(names)] if names else None

    def _amounts(self, code: str, state: str) -> list[int]:
        legs = [one for name, legs in self.booked.items() if self.state[name] == state for one in legs]
        return [one.amount.minor for one in legs if one.account == code]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=4, max_size=16))
async def test_whatever_is_booked_the_books_say_what_a_child_would(office: Office, done) -> None:
    run = await office.sql("select nextval('ledger.step')")  # accounts of its own for each run
    owner = f"provider/{run}"
    for code, (least, greatest) in LIMITS.items():
        limits = {"least": least} | ({} if greatest is None else {"greatest": greatest})
        await office.open(code, owner=owner, **limits)
    model, now = Model(), START
    for number, (name, detail) in enumerate(done):
        now += timedelta(hours=7)
        await _step(office, model, f"{run}/{number}", owner, now, name, detail)
    expected = model.balances()
    for code in FREE + LIMITED:
        assert await office.summed(code, owner=owner) == expected[code]
        if code in LIMITED or any(one.account == code for legs in model.booked.values() for one in legs):
            assert await office.posted(code, owner=owner) == expected[code]
    await office.check()
    await _check_every_prefix(office, owner)


async def _step(office: Office, model: Model, reference: str, owner: str, now: datetime, name: str, detail) -> None:
    match name, detail:
        case (("post" | "hold"), list(pairs)):
            legs = tuple(
                one for a, b, minor in pairs for one in (leg(a, minor, owner=owner), leg(b, -minor, owner=owner))
            )
            until = now + timedelta(hours=20)
            wanted = draft(reference, *legs, is_pending=name == "hold", expires_at=until)
            try:
                await office.post(wanted, now=now)
            except api.BoundExceeded:
                assert not model.fits(legs, name == "hold")
                return
            assert model.fits(legs, name == "hold")
            model.booked[reference], model.drafts[reference] = legs, wanted
            model.state[reference] = "pending" if name == "hold" else "posted"
            model.until[reference] = until
        case "again", int(at) if known := model.named(at, "posted", "pending", "voided", "expired"):
            if known in model.drafts:
                (again,) = await office.post(model.drafts[known], now=now)
                assert (again.is_news, again.state) == (False, model.state[known])
        case (("let count" | "let go"), int(at)) if known := model.named(at, "pending", "posted", "voided", "expired"):
            how, wanted = (api.post_pending, "posted") if name == "let count" else (api.void_pending, "voided")
            may = model.state[known] == "pending" and model.until[known] > now
            repeats = (
                model.state[known] == wanted and model.drafts.get(known) is not None and model.drafts[known].is_pending
            )
            try:
                await office.end(known, how, now=now)
            except api.AlreadyEnded:
                assert not may
                assert not repeats
                return
            assert may or repeats
            model.state[known] = wanted
        case "run out", _:
            await office.call(api.expire_pending, api.ExpirePending(), now=now)
            for known, state in model.state.items():
                if state == "pending" and model.until[known] <= now:
                    model.state[known] = "expired"
        case "reverse", int(at) if known := model.named(at, "posted"):
            legs = rules.undone(model.booked[known])
            try:
                await office.reverse(known, reference)
            except api.AlreadyReversed:
                assert known in model.reversed
                return
            except api.BoundExceeded:
                assert not model.fits(legs, is_pending=False)
                return
            assert known not in model.reversed
            model.booked[reference], model.state[reference] = legs, "posted"
            model.reversed.add(known)
        case "fold", _:
            await office.fold()
        case _:
            pass


async def _check_every_prefix(office: Office, owner: str) -> None:
    """See that no account with a limit was beyond it after any of its steps, as they came one after the other."""
    for code, (least, greatest) in LIMITS.items():
        steps = await office.rows(
            """select entry_id, layer, amount from ledger.leg join ledger.account using (account_id)
               where code = $1 and owner = $2 order by xid""",
            code,
            owner,
        )
        stands: dict[str, int] = {"=": 0, "+": 0, "-": 0}
        for at, step in enumerate(steps):
            stands[step["layer"]] += step["amount"]
            if at + 1 < len(steps) and steps[at + 1]["entry_id"] == step["entry_id"]:
                continue  # the legs of one entry come together
            low, high = stands["="] + stands["-"], stands["="] + stands["+"]
            low, high = (low, high) if code.startswith("assets") else (-high, -low)
            assert low >= least
            assert greatest is None or high <= greatest


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sold=st.integers(1, 10**9),
    pair=st.sampled_from([("EUR", "USD"), ("EUR", "JPY"), ("JPY", "KWD"), ("KWD", "EUR"), ("USD", "CLF")]),
    rate=st.decimals("0.001", "9999", places=6).map(str),
)
async def test_there_and_back_differs_in_the_rounding_account_alone(office: Office, sold: int, pair, rate) -> None:
    there, back = pair
    run = await office.sql("select nextval('ledger.step')")
    accounts = {"trading": f"equity:trading:{run}", "rounding": f"expenses:rounding:{run}"}
    purse, other = f"assets:purse:{run}", f"assets:other:{run}"
    ask = api.Exchange(
        reference=f"{run}/there",
        sold=money(sold, there),
        currency=back,
        rate=rate,
        source=purse,
        target=other,
        **accounts,
    )
    if rules.exchanged(ask.sold, back, rate) is None:
        with pytest.raises(api.WrongExchange):
            await office.call(api.exchange, ask)
        return
    entry = await office.call(api.exchange, ask)
    bought = next(one.amount for one in entry.legs if one.account == other)
    exact = Fraction(sold) * Fraction(rate) * Fraction(10) ** (decimals(back) - decimals(there))
    assert abs(bought.minor - exact) <= Fraction(1, 2)
    home = api.Exchange(
        reference=f"{run}/back", sold=bought, currency=there, rate=f"1/{rate}", source=other, target=purse, **accounts
    )
    await office.call(api.exchange, home)
    sums = {
        (row["code"], row["currency"]): row["total"]
        for row in await office.rows(
            """select code, leg.currency, sum(amount) as total from ledger.leg join ledger.account using (account_id)
               where code like $1 group by code, leg.currency having sum(amount) <> 0""",
            f"%:{run}",
        )
    }
    lost = sums.pop((accounts["rounding"], there), 0)
    assert sums.pop((purse, there), 0) == -lost
    assert sums == {}


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), amounts), min_size=1, max_size=12), st.booleans())
async def test_what_stood_at_any_moment_and_day_is_the_sum_of_what_was_booked_by_then(
    office: Office, booked: list[tuple[int, int, int]], is_folded: bool
) -> None:
    run = await office.sql("select nextval('ledger.step')")
    code = f"assets:box:{run}"
    first = datetime(2026, 3, 1, 6, tzinfo=UTC)
    for number, (hours, days, minor) in enumerate(booked):
        on = date(2026, 3, 1) + timedelta(days=days)
        await office.post(
            draft(f"{run}/{number}", leg(code, minor), leg("income:sales", -minor), value_date=on),
            now=first + timedelta(hours=7 * hours),
        )
        if is_folded and number == len(booked) // 2:
            await office.fold()
    for hours, days, _ in booked:
        at, on = first + timedelta(hours=7 * hours), date(2026, 3, 1) + timedelta(days=days)
        by_then = [minor for since, _, minor in booked if since <= hours]
        by_day = [minor for _, since, minor in booked if since <= days]
        both = [minor for since, day, minor in booked if since <= hours and day <= days]
        assert await office.posted(code, at=at) == sum(by_then)
        assert await office.posted(code, on=on) == sum(by_day)
        assert await office.posted(code, at=at, on=on) == sum(both)


async def test_faults_of_the_machine_would_be_seen(office: Office) -> None:
    await office.post(draft("one", leg("assets:cash", 1), leg("income:sales", -1)))
    assert await office.fold() == 2
    await office.sql("update ledger.balance set posted = posted + 1")
    with pytest.raises(AssertionError):
        await office.check()
    assert issubclass(api.BoundExceeded, errors.Refusal)
