"""What tax services have said, and asking them where nothing is locked."""

from __future__ import annotations

from isthmus.kernel import Context, decode, encode, implements

from .. import api


async def said_by(
    service: api.TaxService, ask: api.Assessment, ctx: Context, *, may_ask: bool
) -> tuple[api.LineAssessment, ...] | None:
    """Return what a service said of this ask, or says now where it may be asked; None where own rates stand in.

    Raises NotAssessed where they must not.
    """

    async def asking(key: str) -> bytes:
        said = tuple(await service.assess(key=key, ask=ask))
        api.fitting(ask, said)
        return encode(said)

    services = ctx.resource(api.TaxServices, api.OWN_RATES_ONLY)
    answers, may = services.answers, asking if may_ask else None
    said = await answers.said(ctx.session, ctx.front_end, service.name, ask, ctx.now, may) if answers else None
    if said is not None:
        return decode(said, tuple[api.LineAssessment, ...])
    if services.is_strict:
        why = "it does not answer" if may_ask else "it has not been asked for these lines"
        raise api.NotAssessed(jurisdiction=ask.jurisdiction, service=service.name, why=why)
    return None


@implements(api.forget_assessments)
async def forget_assessments(ask: api.ForgetAssessments, ctx: Context) -> api.AssessmentsForgotten:
    answers = ctx.resource(api.TaxServices, api.OWN_RATES_ONLY).answers
    forgotten = await answers.forget(ctx.session, ctx.front_end, ctx.now) if answers else 0
    return api.AssessmentsForgotten(assessments=forgotten)
