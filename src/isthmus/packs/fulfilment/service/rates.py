"""What rate services have said, in the place of the zones of their methods."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.kernel import Context, decode, encode, implements

from .. import api, rules


async def with_live_rates(
    methods: Sequence[api.Method], ask: api.QuoteDelivery, ctx: Context, *, may_ask: bool
) -> Sequence[api.Method]:
    """Return methods with what services say of them as their only rates; with their own where they may stand in.

    Raises RatesUnknown where they must not.
    """
    services = ctx.resource(api.RateServices, api.OWN_TABLES_ONLY)
    if not services.services or services.answers is None:
        return methods
    live: dict[str, tuple[api.Rate, ...]] = {}
    for service, codes in services.covering(one.code for one in methods if one.is_active):
        asked = rules.rate_ask(ask, codes)

        async def asking(key: str, service: api.RateService = service, asked: api.RateAsk = asked) -> bytes:
            said = tuple(await service.rates(key=key, ask=asked))
            api.fitting_rates(asked, said)
            return encode(said)

        may = asking if may_ask else None
        said = await services.answers.said(ctx.session, ctx.front_end, service.name, asked, ctx.now, may)
        if said is not None:
            found = decode(said, tuple[api.LiveRate, ...])
            live |= {code: rules.live_rates(service.name, code, found, ask.amount.currency) for code in codes}
        elif services.is_strict:
            why = "it does not answer" if may_ask else "it has not been asked for these goods"
            raise api.RatesUnknown(service=service.name, methods=codes, why=why)
    return [one.replace(rates=live[one.code]) if one.code in live else one for one in methods]


@implements(api.forget_rates)
async def forget_rates(ask: api.ForgetRates, ctx: Context) -> api.RatesForgotten:
    answers = ctx.resource(api.RateServices, api.OWN_TABLES_ONLY).answers
    return api.RatesForgotten(answers=await answers.forget(ctx.session, ctx.front_end, ctx.now) if answers else 0)
