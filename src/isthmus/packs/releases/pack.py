"""The manifest of releases."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Every, Files, Gauge, Job, Page, Personal, Resource

from . import api, entities
from .service import releases
from .service.artefacts import Artefacts, ReleaseSettings, artefacts_at

PAGES = "isthmus.packs.releases.pages"

PACK = Pack(
    name="releases",
    owner="mobile team",
    api=api,
    service=(releases,),
    migrations="isthmus.packs.releases:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            because="devices and members are asked with and not kept; a session's id is the client's own",
            purposes={"identifier": "to give the same device the same release, and members of a segment theirs"},
        ),
        Resource(kind=Artefacts, make=artefacts_at, settings=ReleaseSettings),
        Files(
            path="/releases/files",
            kind=Artefacts,
            bytes_max=api.ARTEFACT_BYTES_MAX,
            check=api.check_file,
            note=api.note_file,
        ),
        Job(name="releases.watch-health", when=Every(seconds=10), calls=api.watch_health),
        Gauge(
            name="release_sessions",
            help="Sessions that clients of a release told of, by whether they crashed.",
            labels=("front_end", "app", "version", "crashed"),
            sql="""
                select r.front_end, r.app, r.version, s.has_crashed::text as crashed, count(*) as value
                from releases.session s join releases.release r using (number)
                where r.state = 'rolling' group by 1, 2, 3, 4""",
        ),
        Commands(
            name="releases",
            help="What was released to whom, and how it fares.",
            at="isthmus.packs.releases.commands:commands",
            over="platform",
        ),
        Page(
            path="/releases",
            menu="Releases",
            group="Mobile",
            at=f"{PAGES}:show",
            template="releases.html",
            needs=api.list_releases,
        ),
        Page(path="/releases", at=f"{PAGES}:act", template="releases.html", needs=api.list_releases, is_form=True),
    ),
    conditions=(
        Condition(
            name="releases.artefacts-are-there",
            sentence="The artefact of every release, and of every delta, is kept, and of the size that was said.",
            sql="""
                select front_end, sha256 from (
                    select front_end, sha256, size from releases.release where sha256 is not null
                    union all select front_end, delta_sha256, size from releases.delta) one
                where size is distinct from
                    (select octet_length(c.content) from releases.content c where c.sha256 = one.sha256)
                limit 20""",
        ),
    ),
)
