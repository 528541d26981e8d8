"""The manifest of ventures."""

from __future__ import annotations

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Growing, Keeps, Personal, Resource, clear

from . import api, entities
from .service import joining, standing, taking

PACK = Pack(
    name="venture",
    owner="governance",
    api=api,
    service=(taking, standing, joining),
    migrations="isthmus.packs.venture:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Growing(
            metrics=("venture.gross-sales",),
            buyers="venture.buyers",
            is_venture=True,
            begun="""
                select p.front_end, p.begun_on, p.budget_currency, p.budget_minor,
                    coalesce(sum(e.spent_minor), 0) as spent_minor
                from venture.position p
                left join venture.entry e on e.front_end = p.front_end and e.currency = p.budget_currency
                where p.begun_on is not null group by p.front_end""",
        ),
        Resource(kind=api.Charters, make=api.charters_at),
        Personal(
            forgets=api.forget,
            entity="venture.sale",
            purposes={"identifier": "to know whose a sale of a venture is, so that it can be forgotten there"},
            keeps=(
                Keeps(
                    table="venture.sale",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"member": "identifier"},
                    why="whose a sale of a venture is, so that its members are counted and can be forgotten",
                    until="until the person is erased",
                    whose="member = any($1)",
                    leads_to=("sale_id",),
                ),
                Keeps(
                    table="venture.reminder",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"member": "identifier"},
                    why="whom a venture has still to forget",
                    until="until it has",
                    whose="member = any($1)",
                ),
            ),
        ),
    ),
    conditions=(
        Condition(
            name="venture.sales-are-booked",
            sentence="Each sale of a venture is in its books, net and tax to the cent.",
            sql="""with booked as (
                       select front_end, subject, currency, sum(net_minor) as net, sum(tax_minor) as tax
                       from venture.entry where subject <> '' group by front_end, subject, currency)
                   select s.front_end, s.sale_id, s.net_minor, s.tax_minor, b.net, b.tax from venture.sale s
                   left join booked b on b.front_end = s.front_end and b.subject = s.sale_id
                       and b.currency = s.currency
                   where (s.net_minor, s.tax_minor) is distinct from (b.net, b.tax)
                       and s.sold_at < now() - interval '1 day' limit 20""",
        ),
        Condition(
            name="venture.erased-is-forgotten",
            sentence="Who was erased here is forgotten by each venture, within a day.",
            sql="""select front_end, count(*), max(tries), max(because) from venture.reminder
                   where since < now() - interval '1 day' group by front_end""",
        ),
    ),
)
