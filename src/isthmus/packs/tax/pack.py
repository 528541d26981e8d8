"""The manifest of tax."""

from isthmus.kernel import Condition, Pack

from . import api, entities, service

PACK = Pack(
    name="tax",
    owner="tax team",
    api=api,
    service=(service,),
    migrations="isthmus.packs.tax:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    conditions=(
        Condition(
            name="tax.one-rate-per-key",
            sentence="Of each key one rate is in force at most, and no rate is below zero.",
            sql="""
                select front_end, jurisdiction, name, tax_category, valid_from, count(*), min(rate_ppm)
                from tax.rate where superseded_at is null
                group by front_end, jurisdiction, name, tax_category, valid_from
                having count(*) > 1 or min(rate_ppm) < 0 limit 20""",
        ),
    ),
)
