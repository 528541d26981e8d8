"""The manifest of risk."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Every, Job, Keeps, Page, Personal, Resource, Upkeep, clear

from . import api
from .service import deciding, reviews, scenarios, scoring
from .service.book import FRESH_S, Book, RiskSettings, book_at, unseeing

PAGES = "isthmus.packs.risk.pages"

PACK = Pack(
    name="risk",
    owner="security team",
    api=api,
    service=(deciding, scenarios, reviews, scoring),
    migrations="isthmus.packs.risk:migrations",
    brings=(
        Resource(kind=api.Watching, make=book_at, settings=RiskSettings, in_shadow=unseeing, stands_alone=True),
        Resource(kind=api.Scorers, make=api.connected, providers="risk", in_shadow=api.Scorers, stands_alone=True),
        Upkeep(name="risk.follow-scenarios", every_s=FRESH_S, of=api.Watching, run=Book.refresh),
        Upkeep(name="risk.prune", every_s=3_600, of=api.Watching, run=Book.prune),
        Job(name="risk.settle-due", when=Every(seconds=15), calls=api.settle_due),
        Personal(
            forgets=api.forget,
            purposes={
                "identifier": "to know again who did the same before, by a keyed hash",
                "free-text": "to say why something was released or rejected",
            },
            keeps=(
                Keeps(
                    table="risk.decision",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"facts": "identifier"},
                    why="what was judged, and by which counts; marks are keyed hashes",
                    until="until the person is erased",
                    whose="reference = any($1)",
                    hidden=("hashes",),
                ),
                Keeps(
                    table="risk.review",
                    in_the_clear=clear.REMARK,
                    columns={"member_id": "identifier", "why": "free-text"},
                    why="whose order a person looks at, and what they decided",
                    until="until the person is erased",
                    whose="member_id::text = any($1) or reference = any($1)",
                ),
            ),
        ),
        Page(
            path="/reviews", menu="Reviews", group="Trade", at=f"{PAGES}:show_list", template="reviews.html",
            needs=api.list_reviews,
        ),
        Page(path="/reviews", at=f"{PAGES}:act", template="reviews.html", needs=api.run_scenario, is_form=True),
        Commands(
            name="security",
            help="Who may what, and what happened.",
            at="isthmus.packs.risk.commands:commands",
            over="platform",
        ),
        Page(
            path="/reviews/{front_end}/{decision_id}", at=f"{PAGES}:show_one", template="review.html",
            needs=api.get_review,
        ),
        Page(
            path="/reviews/{front_end}/{decision_id}", at=f"{PAGES}:settle", template="review.html",
            needs=api.get_review, is_form=True,
        ),
    ),
    conditions=(
        Condition(
            name="risk.reviews-end",
            sentence="No review waits for ten minutes longer than its deadline.",
            sql="""select front_end, decision_id, deadline from risk.review
                   where state = 'open' and deadline < now() - interval '10 minutes' limit 20""",
        ),
    ),
)  # fmt: skip
