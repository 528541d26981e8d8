"""The manifest of invoicing."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Daily, Job, Keeps, Page, Personal, clear

from . import api, entities
from .service import invoices

PAGES = "isthmus.packs.invoicing.pages"

PACK = Pack(
    name="invoicing",
    owner="finance",
    api=api,
    service=(invoices,),
    migrations="isthmus.packs.invoicing:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            because="the law has invoices kept with who bought; invoicing.forget-buyers ends that after ten years",
            purposes={
                "name": "an invoice has to name who buys and who sells",
                "address": "an invoice has to say where both are, and where goods went",
                "identifier": "an invoice to a business has its VAT id",
                "email": "to send the invoice",
            },
            keeps=(
                Keeps(
                    table="invoicing.invoice",
                    in_the_clear=clear.LAW,
                    columns={"buyer": "name"},
                    why="the law has an invoice name who bought",
                    until="ten years after it was issued (invoicing.forget-buyers)",
                    whose="""reference = any($1) or exists (select from invoicing.subject said
                        where said.front_end = invoice.front_end and said.invoice_id = invoice.invoice_id
                          and said.subject = any($1))""",
                ),
            ),
        ),
        Job(name="invoicing.forget-buyers", when=Daily(at="03:10"), calls=api.forget_buyers),
        Page(
            path="/invoices",
            menu="Invoices",
            group="Finance",
            at=f"{PAGES}:show_list",
            template="invoices.html",
            needs=api.list_invoices,
        ),
        Page(
            path="/invoices/{front_end}/{invoice_id}",
            at=f"{PAGES}:show_one",
            template="invoice.html",
            needs=api.get_invoice,
        ),
    ),
    conditions=(
        Condition(
            name="invoicing.no-number-is-missing",
            sentence="The numbers of each series go from one to the last, and each has its invoice.",
            sql="""select entity, series, series.last, count(invoice_id) as issued from invoicing.series
                   left join invoicing.invoice using (entity, series) group by entity, series, series.last
                   having count(invoice_id) <> series.last limit 20""",
        ),
        Condition(
            name="invoicing.tax-adds-up",
            sentence="Net and tax of an invoice are the sums of what is taxed alike on it.",
            sql="""select front_end, number, invoice.net_minor, invoice.tax_minor, sum(vat.net_minor) as net,
                       sum(vat.tax_minor) as tax
                   from invoicing.invoice left join invoicing.vat using (front_end, invoice_id)
                   group by front_end, number, invoice.net_minor, invoice.tax_minor
                   having (invoice.net_minor, invoice.tax_minor)
                       is distinct from (sum(vat.net_minor)::bigint, sum(vat.tax_minor)::bigint) limit 20""",
        ),
    ),
)
