"""The manifest of sync."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Daily, Job, Keeps, Page, Personal, clear

from . import api, entities, service, storage

PAGES = "isthmus.packs.sync.pages"
ERASED = "until the person is erased"
WHOSE = "scope = any($1)"

PACK = Pack(
    name="sync",
    owner="mobile team",
    api=api,
    service=(service,),
    migrations="isthmus.packs.sync:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            forgets=api.forget,
            purposes={
                "identifier": "to take each change of a device once, and to give it to who may see it",
                "free-text": "what members write down, on all their devices",
            },
            keeps=(
                Keeps(
                    table=storage.DOCUMENT,
                    in_the_clear=clear.LEADS_NOWHERE,
                    sealed=storage.SEALED[storage.DOCUMENT],
                    columns={"scope": "identifier", "body": "free-text"},
                    why="what a member writes down is on all their devices",
                    until=ERASED,
                    whose=WHOSE,
                ),
                Keeps(
                    table=storage.CONFLICT,
                    in_the_clear=clear.LEADS_NOWHERE,
                    sealed=storage.SEALED[storage.CONFLICT],
                    columns={
                        "scope": "identifier",
                        "kept": "free-text",
                        "lost": "free-text",
                        "kept_by": "identifier",
                        "lost_by": "identifier",
                    },
                    why="what was written over can be had again",
                    until=ERASED,
                    whose=WHOSE,
                ),
                Keeps(
                    table="sync.operation",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"scope": "identifier", "client_id": "identifier"},
                    why="a change that is sent twice counts once",
                    until="half a year",
                    whose=WHOSE,
                    hidden=("said",),
                ),
                Keeps(
                    table="sync.client",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"client_id": "identifier", "member_id": "identifier"},
                    why="a change that is sent twice counts once",
                    until=ERASED,
                    whose="member_id::text = any($1)",
                ),
                Keeps(
                    table="sync.scope_member",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"scope": "identifier", "member_id": "identifier"},
                    why="who shares a list",
                    until=ERASED,
                    whose="member_id::text = any($1)",
                    leads_to=("scope",),
                ),
                Keeps(
                    table="sync.guest",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"member_id": "identifier", "reference": "identifier"},
                    why="who is forgotten as a buyer or as a member is forgotten as the guest they were",
                    until=ERASED,
                    whose="reference = any($1) or member_id::text = any($1)",
                    leads_to=("member_id::text",),
                ),
                Keeps(
                    table="sync.scope",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"scope": "identifier"},
                    why="in which order changes came",
                    until=ERASED,
                    whose=WHOSE,
                ),
            ),
        ),
        Job(name="sync.prune", when=Daily(at="03:40"), calls=api.prune),
        Commands(
            name="sync",
            help="What two devices wrote without knowing of each other.",
            at="isthmus.packs.sync.commands:commands",
            over="platform",
        ),
        Page(
            path="/conflicts",
            menu="Sync conflicts",
            group="Mobile",
            at=f"{PAGES}:show",
            template="conflicts.html",
            needs=api.list_conflicts,
        ),
        Page(path="/conflicts", at=f"{PAGES}:act", template="conflicts.html", needs=api.list_conflicts, is_form=True),
    ),
    conditions=(
        Condition(
            name="sync.order-covers",
            sentence="The version of a scope is as high as that of each of its documents.",
            sql="""
                select d.front_end, d.scope, d.document from sync.document d
                join sync.scope s using (front_end, scope) where d.version > s.version limit 20""",
        ),
    ),
)
