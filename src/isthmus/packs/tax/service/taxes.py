"""What tax is due, and how rates come into force."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import Context, Pass, implements
from isthmus.kernel.host import AnswerFailed
from isthmus.values import CurrencyMismatch, money

from .. import api, rules, storage
from . import assessments as service_assessments

_UNTAXED = api.Jurisdiction(code="ZZ")  # ISO 3166 leaves ZZ to users: nowhere


@implements(api.calculate)
async def calculate(ask: api.Calculate, ctx: Context) -> api.TaxQuote:
    return await _calculated(ask, ctx, may_ask=False)


@implements(api.assess)
async def assess(ask: api.Calculate, ctx: Context) -> api.TaxQuote:
    return await _calculated(ask, ctx, may_ask=True)


async def _calculated(ask: api.Calculate, ctx: Context, *, may_ask: bool) -> api.TaxQuote:
    """Calculate the tax of lines and delivery; may_ask: a tax service may be waited for."""
    lines = _checked_lines(ask)
    code = _said(ctx.answer(api.choose_jurisdiction)(ask.jurisdiction, ask.buyer), ask.jurisdiction)
    lines = _categorised(lines, ask, ctx)
    scope = rules.chain(code)
    categories = sorted({line.tax_category for line in lines})
    found = await storage.find_rates(ctx.session, ctx.front_end, scope, categories, ctx.now, ask.at)
    service = ctx.resource(api.TaxServices, api.OWN_RATES_ONLY).covering(code)
    if service is not None:
        place = next((found.known[one] for one in scope if one in found.known), api.Jurisdiction(code=code))
        exempt = ctx.answer(api.exempt_line)(lines, ask.buyer)
        asked = rules.assessment(lines, [not isinstance(one, Pass) for one in exempt], place, code, ask.destination)
        if said := await service_assessments.said_by(service, asked, ctx, may_ask=may_ask):
            rated = _rated(lines, exempt, [rules.rates_of(one) for one in said])
            return _quoted(ask, True, place, rules.assessed(rated, said, place), service=service.name)
    quote = await _by_own_rates(ask, lines, found, code, ctx)
    return quote.replace(is_fallback=True) if service else quote


async def _by_own_rates(
    ask: api.Calculate, lines: Sequence[api.TaxLine], found: storage.Found, code: str, ctx: Context
) -> api.TaxQuote:
    if not found.is_configured:
        return _quoted(ask, False, _UNTAXED, rules.taxed([rules.Rated(line, ()) for line in lines], _UNTAXED))
    scope = rules.chain(code)
    place = next((found.known[one] for one in scope if one in found.known), None)
    if place is None or (place.code != code and not rules.is_understood(code)):
        raise api.UnknownJurisdiction(code=code, path="$.jurisdiction")
    if ask.is_address and code == ask.jurisdiction and "-" not in code and found.has_regions:
        raise api.RegionNeeded(country=code)
    exempt = ctx.answer(api.exempt_line)(lines, ask.buyer)
    chosen = await ctx.answer(api.choose_rates)(lines, code, ask.buyer)
    rated = _rated(lines, exempt, _own_rates(lines, found.entries, scope) if isinstance(chosen, Pass) else chosen)
    _refuse_unrated(rated, ask, code)
    return _quoted(ask, True, place, rules.taxed(rated, place))


@implements(api.put_jurisdictions)
async def put_jurisdictions(ask: api.PutJurisdictions, ctx: Context) -> api.JurisdictionsPut:
    latest = {one.code: one for one in ask.jurisdictions}
    changed = await storage.put_jurisdictions(
        ctx.session, ctx.front_end, list(latest.values()), ctx.now, ctx.caller.client
    )
    return api.JurisdictionsPut(changed=changed)


@implements(api.put_rates)
async def put_rates(ask: api.PutRates, ctx: Context) -> api.RatesPut:
    faults = list(rules.rate_faults(ask.rates))
    if faults:
        raise api.RateRefused(lines=faults)
    known = await storage.lock_jurisdictions(ctx.session, ctx.front_end, [rate.jurisdiction for rate in ask.rates])
    for place, rate in enumerate(ask.rates):
        if rate.jurisdiction not in known:
            raise api.UnknownJurisdiction(code=rate.jurisdiction, path=f"$.rates[{place}].jurisdiction")
    same = await storage.supersede(ctx.session, ctx.front_end, ask.rates, ctx.now)
    new = [rate for place, rate in enumerate(ask.rates) if place not in same]
    if new:
        await storage.insert_rates(ctx.session, ctx.front_end, new, ctx.now, ctx.caller.client)
    for code in sorted({rate.jurisdiction for rate in new}):
        categories = tuple(sorted({rate.tax_category for rate in new if rate.jurisdiction == code}))
        ctx.emit(api.RatesChanged(jurisdiction=code, categories=categories, by=ctx.caller.client))
    return api.RatesPut(changed=len(new), unchanged=len(same))


@implements(api.list_rates)
async def list_rates(ask: api.ListRates, ctx: Context) -> api.RatePage:
    after = 0 if ask.cursor is None else _position(ask.cursor)
    items = await storage.list_rates(ctx.session, ctx.front_end, ask, after, ask.limit + 1)
    shown = items[: ask.limit]
    next_cursor = str(shown[-1][0]) if len(items) > ask.limit else None
    return api.RatePage(items=tuple(rate for _, rate in shown), next_cursor=next_cursor)


@implements(api.list_jurisdictions)
async def list_jurisdictions(ask: api.ListJurisdictions, ctx: Context) -> api.JurisdictionPage:
    items = await storage.list_jurisdictions(ctx.session, ctx.front_end, ask.cursor or "", ask.limit + 1)
    shown = tuple(items[: ask.limit])
    return api.JurisdictionPage(items=shown, next_cursor=shown[-1].code if len(items) > ask.limit else None)


def _checked_lines(ask: api.Calculate) -> list[api.TaxLine]:
    """Return all lines, delivery as the last, in one currency and none below zero."""
    lines = list(ask.lines)
    if ask.delivery_fee is not None:
        lines.append(api.TaxLine(sku=rules.DELIVERY, quantity=1, tax_category=rules.DELIVERY, amount=ask.delivery_fee))
    currency = lines[0].amount.currency
    for place, line in enumerate(lines):
        path = f"$.lines[{place}].amount" if place < len(ask.lines) else "$.delivery_fee"
        if line.amount.currency != currency:
            raise CurrencyMismatch(
                f"{line.amount} is not in {currency}, as the first line is",
                remedy="calculate each currency by itself",
                path=path,
            )
        if line.amount.minor < 0:
            raise api.NegativeAmount(amount=line.amount, path=path)
    return lines


def _categorised(lines: Sequence[api.TaxLine], ask: api.Calculate, ctx: Context) -> list[api.TaxLine]:
    said = ctx.answer(api.choose_category)(lines, ask.buyer)
    return [
        api.TaxLine(
            sku=line.sku,
            quantity=line.quantity,
            tax_category=_said(category, line.tax_category),
            amount=line.amount,
        )
        for line, category in zip(lines, said, strict=True)
    ]


def _own_rates(
    lines: Sequence[api.TaxLine], entries: Sequence[api.RateEntry], scope: Sequence[str]
) -> list[tuple[api.ChosenRate, ...]]:
    rates = rules.by_category([line.tax_category for line in lines], entries, scope)
    return [rates[line.tax_category] for line in lines]


def _rated(
    lines: Sequence[api.TaxLine], exempt: Sequence[str | Pass], rates: Sequence[tuple[api.ChosenRate, ...]]
) -> list[rules.Rated]:
    if len(rates) != len(lines):
        raise AnswerFailed(
            f"tax.choose-rates was answered with rates for {len(rates)} of {len(lines)} lines",
            remedy="answer one tuple of rates for each line, delivery included",
        )
    return [
        rules.Rated(line, own) if isinstance(reason, Pass) else rules.Rated(line, (), reason)
        for line, reason, own in zip(lines, exempt, rates, strict=True)
    ]


def _refuse_unrated(rated: Sequence[rules.Rated], ask: api.Calculate, code: str) -> None:
    unrated = [
        {
            "path": f"$.lines[{place}].tax_category" if place < len(ask.lines) else "$.delivery_fee",
            "sku": one.line.sku,
            "reason": f"category {one.line.tax_category!r}",
        }
        for place, one in enumerate(rated)
        if not one.rates and not one.exempt_because and one.line.amount.minor
    ]
    if unrated:
        raise api.NoRate(lines=unrated, jurisdiction=code)


def _quoted(
    ask: api.Calculate,
    is_configured: bool,
    place: api.Jurisdiction,
    lines: Sequence[api.TaxedLine],
    *,
    service: str = "",
) -> api.TaxQuote:
    nothing = money(0, lines[0].net.currency)
    return api.TaxQuote(
        jurisdiction=place.code if is_configured else ask.jurisdiction,
        is_configured=is_configured,
        prices_include_tax=place.prices_include_tax,
        rounding=place.rounding,
        rounded_per=place.rounded_per,
        lines=tuple(lines[: len(ask.lines)]),
        delivery=lines[-1] if ask.delivery_fee is not None else None,
        summary=rules.summary(lines, nothing.currency),
        net=sum((line.net for line in lines), start=nothing),
        tax=sum((line.tax for line in lines), start=nothing),
        gross=sum((line.gross for line in lines), start=nothing),
        service=service,
    )


def _said(answer: str | Pass, otherwise: str) -> str:
    return otherwise if isinstance(answer, Pass) else answer


def _position(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):  # fits the column
        raise api.BadCursor
    return int(cursor)
