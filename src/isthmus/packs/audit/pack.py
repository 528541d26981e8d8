"""The manifest of audit."""

from __future__ import annotations

from isthmus.kernel import Condition, Pack, ports
from isthmus.manifest import Commands, Keeps, Page, Personal, Resource, Search, Upkeep, clear

from . import api
from .service import entries
from .service.journal import journal_at
from .service.seal import AuditSettings, Sealer, sealer_at

PACK = Pack(
    name="audit",
    owner="security team",
    api=api,
    service=(entries,),
    migrations="isthmus.packs.audit:migrations",
    brings=(
        Resource(kind=ports.Journal, make=journal_at, in_shadow=lambda: None),
        Resource(kind=Sealer, make=sealer_at, settings=AuditSettings),
        Personal(
            because="what is marked as personal stands there as its kind; names of staff prove who did what",
            keeps=(
                Keeps(
                    table="audit.entry",
                    in_the_clear=clear.STAFF,
                    columns={"person": "name"},
                    why="who of staff did what",
                    until="as [settings.audit] kept_days says",
                    whose="'staff-name/' || person = any($1)",
                    hidden=("link",),
                ),
            ),
        ),
        Upkeep(name="audit.seal", every_s=0.5, of=Sealer, run=Sealer.seal),
        Upkeep(name="audit.cut", every_s=3600, of=Sealer, run=Sealer.cut_old),
        Commands(
            name="security",
            help="Who may what, and what happened.",
            at="isthmus.packs.audit.commands:commands",
            over="database",
        ),
        Page(
            path="/audit",
            menu="Audit log",
            group="Security",
            at="isthmus.packs.audit.pages:show_list",
            template="entries.html",
            needs=api.list_entries,
        ),
        Search(at="isthmus.packs.audit.pages:find", needs=api.list_entries),
    ),
    conditions=(
        Condition(
            name="audit.sealed-soon",
            sentence="No entry of the audit log waits for its seal for longer than a minute.",
            sql="""
                select front_end, count(*), min(since) as since from audit.pending
                where since < now() - interval '1 minute' group by front_end limit 20""",
        ),
        Condition(
            name="audit.without-gaps",
            sentence="Positions of the audit log and numbers of each front end go up without gaps, to the newest head.",
            sql="""
                select front_end, count(*), max(number) as last from audit.entry
                group by front_end having count(*) <> max(number)
                union all
                select 'all', count(*), max(size) from audit.entry full join audit.head on size = position + 1
                having count(position) <> coalesce(max(size), 0) limit 20""",
        ),
    ),
)
