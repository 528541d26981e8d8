"""The manifest of tax."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Every, Job, Personal, Resource

from . import api, entities
from .service import assessments, taxes

PACK = Pack(
    name="tax",
    owner="tax team",
    api=api,
    service=(taxes, assessments),
    migrations="isthmus.packs.tax:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            because="what services say is kept without goods and address, by a digest of what they were asked",
            purposes={"address": "tax goes by where goods go; a tax service may need the street"},
        ),
        Resource(kind=api.TaxServices, make=api.connected, settings=api.TaxSettings, providers="tax"),
        Job(name="tax.forget", when=Every(seconds=3600), calls=api.forget_assessments),
    ),
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
