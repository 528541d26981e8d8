"""Tax on a real PostgreSQL: rates by place, category and time, and two front ends side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from isthmus.kernel import PASS, Caller, FrontEnd, Pass, Platform, answers, decode, encode
from isthmus.packs.tax import api
from isthmus.packs.tax.pack import PACK
from isthmus.values import Buyer, CurrencyMismatch, money

MakePlatform = Callable[..., Awaitable[Platform]]

NOW = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)
NORTH = Caller(front_end="north", client="north-office")
SOUTH = Caller(front_end="south", client="south-office")
RESELLER = Buyer(member_id=UUID(int=1), segments=("reseller",))


@answers(api.choose_jurisdiction)
def sellers_place(jurisdiction: str, buyer: Buyer) -> str | Pass:
    return "DE" if jurisdiction == "LI" else PASS


@answers(api.choose_category)
def hot_food(lines: Sequence[api.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    return ["meals" if line.sku.startswith("hot-") else PASS for line in lines]


@answers(api.exempt_line)
def resellers(lines: Sequence[api.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
    return ["resells" if "reseller" in buyer.segments else PASS] * len(lines)


@answers(api.choose_rates)
async def rates_of_a_service(
    lines: Sequence[api.TaxLine], jurisdiction: str, buyer: Buyer
) -> tuple[tuple[api.ChosenRate, ...], ...] | Pass:
    if jurisdiction != "FR":
        return PASS
    if buyer.tier == "unlucky":
        raise RuntimeError("the service is down")
    return ((api.ChosenRate(name="tva", rate_ppm=55_000, jurisdiction="FR"),),) * len(lines)


@pytest.fixture
async def platform(make_platform: MakePlatform) -> Platform:
    north = FrontEnd(code="north", name="North", owner="n", uses=("tax.*",))
    rules = (sellers_place, hot_food, resellers, rates_of_a_service)
    south = FrontEnd(code="south", name="South", owner="s", uses=("tax.*",), answers=rules)
    return await make_platform(PACK, north, south, clock=lambda: NOW)


def rate(jurisdiction: str, ppm: int, category: str = "", **fields: object) -> api.RateEntry:
    known = {"jurisdiction": jurisdiction, "name": "vat", "rate_ppm": ppm, "tax_category": category}
    return api.RateEntry(**{**known, "valid_from": NOW - DAY, **fields})  # type: ignore[arg-type]


async def configure(platform: Platform, caller: Caller = NORTH, **fields: object) -> None:
    places = tuple(api.Jurisdiction(code=code, **fields) for code in ("DE", "US", "US-OH", "FR"))  # type: ignore[arg-type]
    await platform.call(api.put_jurisdictions, api.PutJurisdictions(jurisdictions=places), caller)
    rates = (
        rate("DE", 190_000),
        rate("DE", 70_000, "food"),
        rate("US-OH", 57_500, name="state"),
        rate("US-OH", 0, "food", name="state"),
        rate("FR", 200_000),
    )
    await platform.call(api.put_rates, api.PutRates(rates=rates), caller)


async def taxed(
    platform: Platform, *lines: tuple[str, str, int], to: str = "DE", caller: Caller = NORTH, **fields: object
) -> api.TaxQuote:
    now = fields.pop("now", None)
    asked = tuple(
        api.TaxLine(sku=sku, quantity=1, tax_category=category, amount=money(minor, "EUR"))
        for sku, category, minor in lines
    )
    ask = api.Calculate(lines=asked, jurisdiction=to, **fields)  # type: ignore[arg-type]
    return await platform.call(api.calculate, ask, caller, now=now)  # type: ignore[arg-type]


async def test_lines_and_delivery_are_taxed_and_summed_per_rate(platform: Platform) -> None:
    await configure(platform)
    quote = await taxed(platform, ("tea", "food", 1000), ("toy", "toys", 1000), delivery_fee=money(500, "EUR"))
    assert [(one.sku, one.tax.minor) for one in quote.lines] == [("tea", 70), ("toy", 190)]
    assert quote.delivery is not None
    assert quote.delivery.tax.minor == 95
    assert [(one.rate_ppm, one.net.minor, one.tax.minor) for one in quote.summary] == [
        (70_000, 1000, 70),
        (190_000, 1500, 285),
    ]
    assert (quote.net.minor, quote.tax.minor, quote.gross.minor) == (2500, 355, 2855)
    assert (quote.is_configured, quote.jurisdiction) == (True, "DE")


async def test_lines_of_a_question_fit_their_contract_also_that_of_delivery(make_platform: MakePlatform) -> None:
    asked: list[api.TaxLine] = []

    @answers(api.choose_category)
    def noted(lines: Sequence[api.TaxLine], buyer: Buyer) -> Sequence[str | Pass]:
        asked.extend(lines)
        return [PASS for _ in lines]

    north = FrontEnd(code="north", name="North", owner="n", uses=("tax.*",), answers=(noted,))
    platform = await make_platform(PACK, north, clock=lambda: NOW)
    await taxed(platform, ("tea", "food", 1000), delivery_fee=money(500, "EUR"))
    assert decode(encode(asked), list[api.TaxLine]) == asked, "as where it is answered in another process"
    assert [(one.sku, one.tax_category) for one in asked] == [("tea", "food"), ("delivery", "delivery")]


async def test_prices_that_include_tax_stay_what_they_are(platform: Platform) -> None:
    await configure(platform, prices_include_tax=True)
    quote = await taxed(platform, ("tea", "food", 1070))
    assert (quote.net.minor, quote.tax.minor, quote.gross.minor) == (1000, 70, 1070)


async def test_a_front_end_without_jurisdictions_charges_no_tax(platform: Platform) -> None:
    quote = await taxed(platform, ("tea", "food", 1000), to="US-OH", delivery_fee=money(500, "EUR"))
    assert (quote.is_configured, quote.tax.minor, quote.gross.minor) == (False, 0, 1500)
    assert (quote.summary, quote.lines[0].rates) == ((), ())


async def test_a_jurisdiction_that_nothing_is_said_of_is_refused(platform: Platform) -> None:
    await configure(platform)
    with pytest.raises(api.UnknownJurisdiction, match="no tax is configured for LI") as refused:
        await taxed(platform, ("tea", "food", 1000), to="LI")
    assert refused.value.path == "$.jurisdiction"


async def test_a_finer_jurisdiction_has_the_rates_of_what_it_lies_in(platform: Platform) -> None:
    await configure(platform)
    quote = await taxed(platform, ("toy", "toys", 1000), ("tea", "food", 1000), to="US-OH-CUYAHOGA")
    assert (quote.jurisdiction, [one.tax.minor for one in quote.lines]) == ("US-OH", [58, 0])
    assert [one.tax.minor for one in quote.summary] == [0, 58]


async def test_all_lines_without_a_rate_are_refused_in_one_error(platform: Platform) -> None:
    await configure(platform)
    with pytest.raises(api.NoRate, match="no rate is in force in US for category 'food', and 2") as refused:
        await taxed(platform, ("tea", "food", 1), ("free", "toys", 0), to="US", delivery_fee=money(2, "EUR"))
    assert [one["path"] for one in refused.value.facts["lines"]] == ["$.lines[0].tax_category", "$.delivery_fee"]  # type: ignore[attr-defined]


async def test_amounts_below_zero_or_in_two_currencies_are_refused_with_their_path(platform: Platform) -> None:
    with pytest.raises(api.NegativeAmount) as below:
        await taxed(platform, ("tea", "food", 1), ("jam", "food", -1))
    assert below.value.path == "$.lines[1].amount"
    with pytest.raises(CurrencyMismatch) as mixed:
        await taxed(platform, ("tea", "food", 1), delivery_fee=money(1, "USD"))
    assert mixed.value.path == "$.delivery_fee"


async def test_a_rate_holds_from_its_start_and_the_old_one_until_then(platform: Platform) -> None:
    await configure(platform)
    ask = api.PutRates(rates=(rate("DE", 160_000, valid_from=NOW + DAY),))
    await platform.call(api.put_rates, ask, NORTH)
    assert (await taxed(platform, ("toy", "toys", 1000))).tax.minor == 190
    assert (await taxed(platform, ("toy", "toys", 1000), now=NOW + DAY)).tax.minor == 160


async def test_a_rate_that_is_put_again_supersedes_and_stays_in_the_history(platform: Platform) -> None:
    await configure(platform)
    ask = api.PutRates(rates=(rate("DE", 160_000), rate("FR", 200_000)))
    assert await platform.call(api.put_rates, ask, NORTH) == api.RatesPut(changed=1, unchanged=1)
    assert await platform.call(api.put_rates, ask, NORTH) == api.RatesPut(changed=0, unchanged=2)
    live = await platform.call(api.list_rates, api.ListRates(jurisdiction="DE"), NORTH)
    assert [one.entry.rate_ppm for one in live.items] == [70_000, 160_000]
    history = await platform.call(api.list_rates, api.ListRates(jurisdiction="DE", history=True, limit=2), NORTH)
    assert [(one.entry.rate_ppm, one.superseded_at is None) for one in history.items] == [
        (190_000, False),
        (70_000, True),
    ]
    ask_more = api.ListRates(jurisdiction="DE", history=True, limit=2, cursor=history.next_cursor)
    rest = await platform.call(api.list_rates, ask_more, NORTH)
    assert ([one.entry.rate_ppm for one in rest.items], rest.next_cursor) == ([160_000], None)
    with pytest.raises(api.BadCursor):
        await platform.call(api.list_rates, api.ListRates(cursor="²"), NORTH)


async def test_wrong_rates_are_refused_and_none_is_put(platform: Platform) -> None:
    with pytest.raises(api.UnknownJurisdiction, match=r"tax\.put-jurisdictions") as unknown:
        await platform.call(api.put_rates, api.PutRates(rates=(rate("DE", 1),)), NORTH)
    assert unknown.value.path == "$.rates[0].jurisdiction"
    await configure(platform)
    with pytest.raises(api.RateRefused, match="same key"):
        await platform.call(api.put_rates, api.PutRates(rates=(rate("DE", 1), rate("DE", 2))), NORTH)


async def test_jurisdictions_are_listed_and_replaced(platform: Platform) -> None:
    await configure(platform)
    page = await platform.call(api.list_jurisdictions, api.ListJurisdictions(limit=3), NORTH)
    assert [one.code for one in page.items] == ["DE", "FR", "US"]
    rest = await platform.call(api.list_jurisdictions, api.ListJurisdictions(cursor=page.next_cursor), NORTH)
    assert [one.code for one in rest.items] == ["US-OH"]
    again = api.PutJurisdictions(jurisdictions=(*page.items, api.Jurisdiction(code="US-OH", rounded_per="rate")))
    assert (await platform.call(api.put_jurisdictions, again, NORTH)).changed == 1


async def test_two_puts_of_the_same_rates_at_once_leave_one_in_force(platform: Platform) -> None:
    await configure(platform)
    puts = [
        api.PutRates(rates=tuple(rate(code, ppm) for code in (("DE", "FR") if ppm % 2 else ("FR", "DE"))))
        for ppm in range(1, 9)
    ]
    await asyncio.gather(*(platform.call(api.put_rates, ask, NORTH) for ask in puts))
    async with platform.store.platform() as session:  # type: ignore[attr-defined]
        for condition in PACK.conditions:
            assert list(await session.fetch(condition.sql)) == [], condition.sentence
    live = await platform.call(api.list_rates, api.ListRates(), NORTH)
    assert (
        len({one.entry.rate_ppm for one in live.items if one.entry.tax_category == "" and one.entry.name == "vat"}) == 1
    )


async def test_one_front_end_never_sees_the_rates_of_another(platform: Platform) -> None:
    await configure(platform)
    assert (await taxed(platform, ("tea", "food", 1000), caller=SOUTH)).is_configured is False
    assert (await platform.call(api.list_rates, api.ListRates(), SOUTH)).items == ()
    assert (await platform.call(api.list_jurisdictions, api.ListJurisdictions(), SOUTH)).items == ()


async def test_a_front_end_chooses_place_category_and_who_is_exempt(platform: Platform) -> None:
    await configure(platform, SOUTH)
    quote = await taxed(platform, ("hot-pie", "food", 1000), ("tea", "food", 1000), to="LI", caller=SOUTH)
    assert [(one.tax_category, one.tax.minor) for one in quote.lines] == [("meals", 190), ("food", 70)]
    exempt = await taxed(platform, ("tea", "food", 1000), buyer=RESELLER, caller=SOUTH)
    assert (exempt.tax.minor, exempt.lines[0].exempt_because) == (0, "resells")


async def test_rates_of_a_tax_service_hold_and_the_own_ones_where_it_fails(platform: Platform) -> None:
    await configure(platform, SOUTH)
    lines = (("tea", "food", 1000), ("toy", "toys", 1000))
    assert (await taxed(platform, *lines, to="FR", caller=SOUTH)).tax.minor == 110
    assert (await taxed(platform, *lines, to="FR", caller=SOUTH, buyer=Buyer(tier="unlucky"))).tax.minor == 400
    assert (await taxed(platform, *lines, to="DE", caller=SOUTH)).tax.minor == 260
