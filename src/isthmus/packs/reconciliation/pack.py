"""The manifest of reconciliation."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Idempotent, Page, Personal

from . import api
from .service import matching

PAGES = "isthmus.packs.reconciliation.pages"

PACK = Pack(
    name="reconciliation",
    owner="finance",
    api=api,
    service=(matching,),
    migrations="isthmus.packs.reconciliation:migrations",
    brings=(
        Idempotent(
            calls=(api.expect,),
            because="what is expected is known by its key, and a payout is expected whether or not it is booked yet",
        ),
        Personal(because="files are read for references and amounts, and nothing else of them is kept"),
        Commands(
            name="reconcile",
            help="What providers and banks say, against what we believe.",
            at="isthmus.packs.reconciliation.commands:commands",
            over="platform",
        ),
        Page(
            path="/differences",
            menu="Differences",
            group="Finance",
            at=f"{PAGES}:show",
            template="differences.html",
            needs=api.list_differences,
        ),
        Page(
            path="/differences",
            at=f"{PAGES}:act",
            template="differences.html",
            needs=api.list_differences,
            is_form=True,
        ),
    ),
    conditions=(
        Condition(
            name="reconciliation.lines-are-accounted-for",
            sentence="Each line of a file is matched, or a difference says why not.",
            sql="""select l.front_end, l.file_id, l.line from reconciliation.line l
                   where (l.expected_id is null) <> exists (
                       select from reconciliation.difference d where d.front_end = l.front_end
                           and d.file_id = l.file_id and d.line = l.line) limit 20""",
        ),
        Condition(
            name="reconciliation.matched-adds-up",
            sentence="What is matched is what its lines say, or a difference says how much it is not.",
            sql="""select e.front_end, e.key, e.amount_minor, sum(l.amount_minor) as said
                   from reconciliation.expected e join reconciliation.line l
                       on l.front_end = e.front_end and l.expected_id = e.expected_id
                   group by e.front_end, e.expected_id, e.key, e.amount_minor, e.currency
                   having (sum(l.amount_minor) <> e.amount_minor or min(l.currency) <> e.currency) and not exists (
                       select from reconciliation.difference d where d.front_end = e.front_end
                           and d.expected_id = e.expected_id and d.kind in ('amount', 'currency')) limit 20""",
        ),
    ),
)
