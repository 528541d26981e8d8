"""The manifest of flags."""

from isthmus.kernel import Condition, Pack, ports
from isthmus.manifest import Commands, Every, Job, Keeps, Outlet, Page, Personal, Resource, Site, clear

from . import api, entities
from .service import asked, flags
from .service.store import FlagStore, store_at

PAGES = "isthmus.packs.flags.pages"
WHOSE = """subject in (
    select encode(sha256(convert_to(front_end || '/' || one, 'UTF8')), 'hex') from unnest($1::text[]) one)"""

PACK = Pack(
    name="flags",
    owner="mobile team",
    api=api,
    service=(flags, asked),
    migrations="isthmus.packs.flags:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            forgets=api.forget,
            purposes={"identifier": "to have the same variant again, and to count whom an experiment has met once"},
            keeps=tuple(
                Keeps(
                    table=table,
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"subject": "identifier"},
                    why="what an experiment is judged by: a hash, which names nobody",
                    until="until the person is erased",
                    whose=WHOSE,
                )
                for table in ("flags.exposure", "flags.outcome")
            ),
        ),
        Resource(kind=FlagStore, make=store_at),
        Resource(kind=ports.Switches, make=lambda place: place.resource(FlagStore)),
        Outlet(
            name="flags.follow",
            of=FlagStore,
            run=FlagStore.run,
            takes="select key as who, array[body->'experiment'->>'goal'] as types from flags.flag",
        ),
        Job(name="flags.apply-due", when=Every(seconds=5), calls=api.apply_due),
        Site(path="/ofrep", at=f"{PAGES}.ofrep:site", has_clients=True),
        Commands(
            name="flags",
            help="What is on for whom, and why.",
            at="isthmus.packs.flags.commands:commands",
            over="platform",
        ),
        Page(
            path="/flags",
            menu="Flags",
            group="Mobile",
            at=f"{PAGES}:show_list",
            template="flags.html",
            needs=api.list_flags,
        ),
        Page(path="/flags", at=f"{PAGES}:act", template="flags.html", needs=api.list_flags, is_form=True),
        Page(
            path="/flags/{front_end}/{key}",
            at=f"{PAGES}:show_one",
            template="flag.html",
            needs=api.get_flag,
        ),
    ),
    conditions=(
        Condition(
            name="flags.version-covers",
            sentence="The version of a front end's flags is as high as that of each flag and of each change.",
            sql="""
                select front_end, version from (
                    select front_end, version from flags.flag
                    union all select front_end, version from flags.change where version is not null) one
                where version > coalesce(
                    (select c.version from flags.config c where c.front_end = one.front_end), 0)
                limit 20""",
        ),
        Condition(
            name="flags.approved-by-another",
            sentence="No change was approved by whoever made it.",
            sql="""
                select front_end, number from flags.change
                where state = 'applied' and decided_by <> '' and decided_by = author limit 20""",
        ),
    ),
)
